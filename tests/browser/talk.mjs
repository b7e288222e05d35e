// Uses the chat page at an address as a user does, at two widths and in both colour schemes, and prints what happened as
// JSON.
//   node talk.mjs http://127.0.0.1:8000/ API-KEY [folder for screenshots]
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { chromium } from 'playwright-core'

const [address, key, pictures] = process.argv.slice(2)
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
})

async function ask(page, question, press = (it) => it.press('#question', 'Enter')) {
  const before = await page.locator('.turn').count()
  await page.fill('#question', question)
  await press(page)
  await page.locator('.turn').nth(before).waitFor()
}

const answered = (page) => page.waitForFunction(() => !document.querySelector('[aria-busy=true]'))
const answerTexts = (page) => page.locator('.turn').last().locator('.answers p').allInnerTexts()
const picture = (page, name) => pictures && page.screenshot({ path: path.join(pictures, `${name}.png`) })

async function enter(page) {
  await page.goto(address)
  await page.locator('#note').waitFor({ state: 'visible' })
  const note = await page.locator('#note').innerText()
  await page.fill('#key', key)
  await page.press('#key', 'Tab')
  await page.waitForFunction(() => document.querySelector('#empty').textContent.includes('tuned'))
  return note
}

const seen = []
for (const width of [390, 1280]) {
  for (const colorScheme of ['light', 'dark']) {
    const settings = { viewport: { width, height: 844 }, colorScheme, deviceScaleFactor: 1, locale: 'en-GB' }
    const context = await browser.newContext(settings)
    const page = await context.newPage()
    const requests = []
    const errors = []
    page.on('request', (request) => requests.push(request.url()))
    page.on('pageerror', (error) => errors.push(String(error)))
    page.on('console', (message) => message.type() === 'error' && !message.text().includes('401') && errors.push(message.text()))
    page.on('dialog', (dialog) => { errors.push(`dialog: ${dialog.message()}`); dialog.dismiss() })
    const note = await enter(page)
    await picture(page, `chat-${width}-${colorScheme}-begin`)
    await ask(page, 'Who are <b>you</b>?')
    await answered(page)
    const first = await answerTexts(page)
    await ask(page, 'And then?', (it) => it.click('#send'))
    await answered(page)
    const second = await answerTexts(page)
    const boxes = await page.locator('.turn').first().locator('.answers>div').evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top))
    await ask(page, 'forever')
    await page.waitForFunction(() => [...document.querySelectorAll('.turn:last-child .answers p')].every((one) => one.textContent))
    await picture(page, `chat-${width}-${colorScheme}-running`)
    await page.click('#stop')
    await answered(page)
    const stopped = await answerTexts(page)
    await ask(page, 'break')
    await answered(page)
    const broken = await answerTexts(page)
    await picture(page, `chat-${width}-${colorScheme}`)
    const covered = await page.evaluate(() => document.querySelector('.turn:last-child').getBoundingClientRect().bottom - document.querySelector('form').getBoundingClientRect().top)
    const facts = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth,
      scripts: document.scripts.length,
      images: document.images.length,
      ran: 'ran' in window,
      asked: [...document.querySelectorAll('.turn h2')].map((one) => one.textContent),
    }))
    await page.click('#language')
    const chinese = await page.evaluate(() => [document.documentElement.lang, document.title, document.querySelector('#send').textContent])
    await page.click('#reset')
    const turnsAfterReset = await page.locator('.turn').count()
    // The page's policy would keep axe out, so it looks at a copy without one.
    const open = await browser.newContext({ ...settings, bypassCSP: true })
    const copy = await open.newPage()
    await enter(copy)
    await ask(copy, 'Who are you?')
    await answered(copy)
    await ask(copy, 'break')
    await answered(copy)
    await copy.evaluate(axe)
    const { violations } = await copy.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
    seen.push({
      width, colorScheme, note, first, second, stopped, broken, boxes, covered, ...facts, chinese, turnsAfterReset, requests, errors,
      violations: violations.map(({ id, nodes }) => ({ id, count: nodes.length, first: nodes[0].html, why: nodes[0].failureSummary })),
    })
    await context.close()
    await open.close()
  }
}
await browser.close()
console.log(JSON.stringify(seen))
