// Opens one HTML file in Chromium and tells, as JSON on stdout, what happened: requests, scripts, errors, how wide it
// is, and what axe-core says, at two widths and in both colour schemes.
//   node look.mjs report.html [folder for screenshots]
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'

const [file, pictures] = process.argv.slice(2)
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
})
const seen = []
/** Opens every folded section, as a click would; returns their titles. */
const unfold = () => [...document.querySelectorAll('details:not([open])')].map((one) => {
  one.querySelector('summary').click()
  return one.querySelector('summary').innerText
})
for (const width of [390, 1280]) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width, height: 844 }, colorScheme, deviceScaleFactor: 1 })
    const page = await context.newPage()
    const requests = []
    const errors = []
    page.on('request', (request) => requests.push(request.url()))
    page.on('pageerror', (error) => errors.push(String(error)))
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
    page.on('dialog', (dialog) => { errors.push(`dialog: ${dialog.message()}`); dialog.dismiss() })
    await page.goto(pathToFileURL(path.resolve(file)).href)
    if (pictures) await page.screenshot({ path: path.join(pictures, `${width}-${colorScheme}-folded.png`), fullPage: true })
    const folded = await page.evaluate(unfold)
    if (pictures) await page.screenshot({ path: path.join(pictures, `${width}-${colorScheme}.png`), fullPage: true })
    const facts = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth,
      scripts: document.scripts.length,
      images: document.images.length,
      ran: 'ran' in window,
      title: document.title,
      text: document.body.innerText,
      background: getComputedStyle(document.body).backgroundColor,
      cut: [...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth).length,
      plots: [...document.querySelectorAll('svg.plot')].filter((one) => one.checkVisibility()).map((one) => one.classList[1]),
    }))
    facts.folded = folded
    const shown = {}
    const counted = {}
    const behind = {}
    const count = () => page.evaluate(() => [...document.querySelectorAll('.probe')].filter((one) => one.checkVisibility()).length)
    for (const id of await page.evaluate(() => [...document.querySelectorAll('input[type=radio]')].map((one) => one.id))) {
      const before = await page.evaluate((name) => document.querySelector(`input[name=${name}]:checked`).id, id.split('-')[0])
      await page.click(`label[for="${id}"]`)
      shown[id] = await count()
      counted[id] = Number(await page.evaluate((name) => [...document.querySelectorAll(`label[for="${name}"] .n`)]
        .filter((one) => one.checkVisibility()).map((one) => one.innerText).join(' '), id))
      await page.click(`label[for="${before}"]`)
    }
    for (const link of new Set(await page.evaluate(() => [...document.querySelectorAll('a[href^="#"]')].map((one) => one.hash)))) {
      if (!await page.evaluate((id) => document.getElementById(id).classList.contains('behind'), link.slice(1))) continue
      await page.click(`a[href="${link}"]`)
      behind[link] = await count()
      await page.click('.back a')
    }
    // The page's policy would keep axe out, so it looks at a copy without one.
    const open = await browser.newContext({ viewport: { width, height: 844 }, colorScheme, bypassCSP: true })
    const copy = await open.newPage()
    await copy.goto(pathToFileURL(path.resolve(file)).href)
    await copy.evaluate(unfold)
    await copy.evaluate(axe)
    const { violations } = await copy.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
    seen.push({
      width, colorScheme, ...facts, requests, errors, shown, counted, behind,
      violations: violations.map(({ id, nodes }) => ({ id, count: nodes.length, first: nodes[0].html, why: nodes[0].failureSummary })),
    })
    await context.close()
    await open.close()
  }
}
await browser.close()
console.log(JSON.stringify(seen))
