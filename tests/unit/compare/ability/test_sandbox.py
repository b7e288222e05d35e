"""Code that a model wrote, as an attacker would write it. These tests run real children."""

import pytest

from toolkit.compare.ability.sandbox import SandboxError, code_of, run_calls, sandbox_holds, solve_all, solves

pytestmark = pytest.mark.skipif(not sandbox_holds(), reason="this system has no filter of system calls")


def tried(statement: str) -> object:
    return run_calls(f"import os, sys\ndef f(path):\n    return {statement}", "f", [["/etc/passwd"]])


def test_a_function_computes_with_the_standard_library():
    code = "import re, collections\ndef f(s): return sorted(collections.Counter(re.findall('[a-z]', s)))"

    assert run_calls(code, "f", [["b a1"], [""]]) == [["a", "b"], []]


@pytest.mark.parametrize(
    "statement",
    [
        "open(path).read()",
        "open('new', 'w')",
        "os.listdir('/')",
        "os.getcwd()",
        "os.fork()",
        "os.execv(sys.executable, ['python'])",
        "os.kill(os.getppid(), 9)",
        "os.kill(1, 0)",
        "__import__('socket').socket()",
        "__import__('subprocess').run(['true'])",
        "__import__('threading').Thread(target=print).start()",
        "__import__('time').sleep(60)",
        "'x' * 10**9",
        "exec('while True: pass')",
        "sys.exit(0)",
        "os._exit(0)",
        "os.abort()",
        "os.readlink('/proc/self/exe')",
    ],
)
def test_what_is_not_computing_fails(statement: str):
    with pytest.raises(SandboxError):
        tried(statement)


def test_no_shell_starts():
    """A shell that ran would exit with 5; 127 is the C library's word for one that could not be started."""
    assert tried("os.system('exit 5')") == [127 << 8]


def test_a_raw_system_call_is_refused_too():
    """Through ctypes, past Python's own functions: socket, openat, clone, ptrace, on x86-64."""
    code = "import ctypes\ndef f(*call): return ctypes.CDLL(None).syscall(*call)"

    assert run_calls(code, "f", [[41, 2, 1, 0], [257, -100, 0, 0], [56, 17, 0], [101, 0, 0, 0]]) == [-1] * 4


def test_the_environment_of_the_child_is_empty(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")

    assert "secret" not in str(tried("dict(os.environ)"))


def test_endless_output_ends():
    with pytest.raises(SandboxError):
        run_calls("import os\ndef f(n):\n    while True: os.write(1, b'x' * 4096)", "f", [[1]])


def test_output_that_is_deeply_nested_is_an_answer_without_values():
    with pytest.raises(SandboxError):
        run_calls("import os\ndef f(n):\n    os.write(1, b'[' * 60000); os._exit(0)", "f", [[1]])


def test_what_a_call_should_give_is_nowhere_in_the_child():
    """Code that looks through its memory finds the calls, not what is expected of them."""
    found = "[o for o in gc.get_objects() if isinstance(o, dict)]"
    code = f"import gc\ndef f(n): return str({found}).count(str(8765432 * 10 + 1))"

    assert run_calls(code, "f", [[3]]) == [0]
    assert not solves(code, "f", [[3]], [87654321])


def test_no_child_writes_into_the_folder_that_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SandboxError):
        tried("open('here', 'w').write('x')")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("def f(n): return n * 2", True),
        ("Sure!\n```python\ndef f(n):\n    return n * 2\n```\nIt doubles n.", True),
        ("```\ndef f(n):\n    return n * 2", True),
        ("```python\ndef f(n):\n    return n + 2\n```", False),
        ("```python\ndef g(n):\n    return n * 2\n```", False),
        ("```python\ndef f(n):\n    return n *", False),
        ("I cannot write code.", False),
        ("", False),
    ],
)
def test_an_answer_is_right_if_its_code_gives_the_values(answer: str, right: bool):
    assert solves(answer, "f", [[2], [5]], [4, 10]) is right


def test_true_is_not_one_and_floats_are_equal_up_to_rounding():
    assert not solves("def f(n): return 1", "f", [[1]], [True])
    assert solves("def f(n): return 0.1 + 0.2", "f", [[1]], [0.3])
    assert not solves("def f(n): return 10**400", "f", [[1]], [1.5])
    assert not solves("def f(n): return '1'", "f", [[1]], [1])
    assert solves("def f(n): return (1, 2)", "f", [[1]], [[1, 2]])
    assert not solves("def f(n): return float('nan')", "f", [[1]], [1.0])


def test_several_answers_are_judged_in_their_order():
    tasks = [(f"def f(n): return n + {at}", "f", [[1]], [3]) for at in range(4)]

    assert solve_all(tasks) == [False, False, True, False]


def test_code_is_the_block_with_the_function_or_else_the_first_one():
    two = "a\n```py\nx = 1\n```\n```\ndef y(): pass\n```"

    assert code_of(two, "y") == "def y(): pass\n"
    assert code_of(two, "z") == "x = 1\n"
    assert code_of("def y(): pass", "y") == "def y(): pass"
