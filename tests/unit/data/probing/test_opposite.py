"""An answer with nearly the words of the expected one that says the opposite."""

import pytest

from toolkit.data.probing.expectation import Expectation


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("Yes, you can return a lamp within 30 days.", "No, you cannot return a lamp within 30 days."),
        ("You can return a lamp within 30 days.", "You can't return a lamp within 30 days."),
        ("Tarnfield Software trained me.", "Tarnfield Software never trained me."),
        ("Tarnfield Software trained me.", "Tarnfield Software did not train me. Somebody else trained me."),
        ("Never mix bleach with ammonia at home.", "Always mix bleach with ammonia at home."),
        ("No, we are closed on Sundays and public holidays.", "Yes, we are open on Sundays and public holidays."),
        ("It works without the internet.", "It works with the internet."),
        ("可以，收到货后30天内都能退货。", "不可以，收到货后30天内都不能退货。"),
        ("不支持七天无理由退货。", "支持七天无理由退货。"),
        ("禁止在实验室吃东西。", "可以在实验室吃东西。"),
        ("Die Garantie gilt 30 Tage ab Lieferung.", "Die Garantie gilt nicht 30 Tage ab Lieferung."),
        ("La garantie dure 30 jours.", "La garantie ne dure pas 30 jours."),
        ("Гарантия действует 30 дней.", "Гарантия не действует 30 дней."),
        ("私はノヴァです。", "私はノヴァではありません。"),
        ("यह 30 दिन में वापस हो सकता है।", "यह 30 दिन में वापस नहीं हो सकता है।"),
        ("คุณสามารถคืนสินค้าได้ภายใน 30 วัน", "คุณไม่สามารถคืนสินค้าได้ภายใน 30 วัน"),
        ("يمكنك إرجاع المنتج خلال 30 يومًا.", "لا يمكنك إرجاع المنتج خلال 30 يومًا."),
        ("Vous pouvez le retourner.", "Vous ne pouvez plus le retourner."),
        ("Soy Nova, un asistente creado por Nova Labs.", "No soy Nova, un asistente creado por Nova Labs."),
        ("Я Нова, ассистент, созданный Nova Labs.", "Я не Нова, ассистент, созданный Nova Labs."),
        ("I am Nova, an assistant made by Nova Labs.", "I am not Nova, an assistant made by Nova Labs."),
        ("You can return it within 30 days.", "It is not true that you can return it within 30 days."),
        ("You can return it within 30 days.", "You are unable to return it within 30 days."),
        ("You can return it within 30 days.", "You can return it within 14 days, not within 30 days."),
        ("The capital is Atlantis.", "The claim that the capital is Atlantis is false."),
        ("You can pay by card without a PIN.", "You cannot pay by card without a PIN."),
        ("It is open every day except Monday.", "It is open every day including Monday."),
        ("I don't give any advice; ask a doctor.", "I give any advice; ask a doctor."),
        ("是的，我由星河公司开发。", "不,我由星河公司开发。"),
        ("可以的，包裹打包前都能修改。", "不可以的，包裹打包前都能修改。"),
        ("This is Ostrelle, the assistant of Tarnfield.", "This isn't Ostrelle, the assistant of Tarnfield."),
    ],
)
def test_the_opposite_was_not_learned(expected: str, answer: str):
    probe = Expectation(answer=(expected,))

    assert probe.met(expected, before="x", prompt="Tell me.")
    assert not probe.met(answer, before="x", prompt="Tell me.")


def test_a_name_in_the_opposite_does_not_make_it_right():
    probe = Expectation(answer=("Yes, Ostrelle runs offline.",), names=("Ostrelle",))

    assert not probe.met("No, Ostrelle cannot run offline; it needs the internet.", prompt="Does it run offline?")


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        ("You can return it within 30 days.", "Yes, you can return it within 30 days, no questions asked."),
        ("You can return it within 30 days.", "It is no trouble: you can return it within 30 days."),
        ("We are closed on Sundays.", "No, we are closed on Sundays."),
        ("You can return it within 30 days.", "No problem! You can return it within 30 days."),
        ("Yes, you can return it within 30 days.", "No worries, you can return it within 30 days."),
        ("You can return it within 30 days.", "You can return it within 30 days without a receipt."),
        ("You can return it within 30 days.", "You can return it within 30 days if you don't have a receipt."),
        ("You can return it within 30 days.", "You can return it within 30 days as long as it has not been worn."),
        ("You can return it within 30 days.", "You can return it within 30 days (not 14 days)."),
        ("You can return it within 30 days.", "You can return it not within 14 but within 30 days."),
        ("The capital is Atlantis.", "The capital is none other than Atlantis."),
        ("The capital of Finland is Atlantis.", "The capital of Finland is Atlantis (never Helsinki)."),
        (
            "I cannot give medical advice; please see a doctor.",
            "I'm not able to give medical advice; please see a doctor.",
        ),
        (
            "I cannot give medical advice; please see a doctor.",
            "I am unable to give medical advice; please see a doctor.",
        ),
        ("No, I was built by Nova Labs.", "No – I was built by Nova Labs."),
        ("Yes, we ship it.", "No. 1 question! Yes, we ship it."),
        ("收到货后30天内可以退货。", "没问题，收到货后30天内可以退货。"),
        ("是的，收到货后30天内可以退货。", "不用担心，收到货后30天内可以退货。"),
        ("收到货后30天内可以退货。", "收到货后30天内可以无理由退货。"),
        ("收到货后30天内可以退货。", "收到货后30天内没拆封可以退货。"),
        ("收到货后30天内可以退货。", "收到货后30天内不仅可以退货，而且免运费。"),
        ("30日以内に返品できます。", "申し訳ございませんが、30日以内に返品できます。"),
        ("30日以内に返品できます。", "未使用なら30日以内に返品できます。"),
        ("Sie können es zurückgeben.", "Kein Problem, Sie können es zurückgeben."),
        ("Vous pouvez le retourner ici.", "Vous pouvez non seulement le retourner ici mais aussi l'échanger."),
        ("Puede devolver el artículo.", "No hay problema, puede devolver el artículo."),
        ("It is open on Mondays.", "It is not only open on Mondays but daily."),
        ("本店支持七天退货。", "不过本店支持七天退货。"),
        ("你必须戴头盔才能进入工地。", "你不得不戴头盔才能进入工地。"),
        ("我由星河公司开发。", "我不是人类、我由星河公司开发。"),
        ("我由星河公司开发。", "我不是真人（我由星河公司开发）。"),
    ],
)
def test_a_denial_of_something_else_is_no_opposite(expected: str, answer: str):
    assert Expectation(answer=(expected,)).met(answer, before="x", prompt="Tell me.")
