// Goes through the studio as a user does, from a sentence to a verdict and again after an edit, with a second browser
// and a hostile page beside it; then looks at every page at two widths and in both colour schemes. Prints JSON.
//   node studio.mjs 'http://127.0.0.1:6006/?token=…' http://127.0.0.1:HOSTILE/ FOLDER_OF_WISHES [folder for screenshots]
import { access, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { chromium } from 'playwright-core'

const [opened, hostile, wishes, pictures] = process.argv.slice(2)
const address = new URL('/', opened).href
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
})
const PATIENCE = { timeout: 240000 }
const requests = []
const errors = []
let studioIsAway = false

// Has the test do something to the studio, and waits until it is done.
async function wish(name) {
  const file = path.join(wishes, name)
  await writeFile(file, '')
  while (await access(file).then(() => true, () => false)) await new Promise((done) => setTimeout(done, 100))
}

async function enter(settings = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 844 }, locale: 'en-GB', ...settings })
  const page = await context.newPage()
  page.on('request', (request) => requests.push(request.url()))
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && !studioIsAway && errors.push(message.text()))
  page.on('dialog', (dialog) => { errors.push(`dialog: ${dialog.message()}`); dialog.dismiss() })
  await page.goto(opened)
  await page.waitForURL(address)
  return page
}

const picture = (page, name) => pictures && page.screenshot({ path: path.join(pictures, `studio-${name}.png`), fullPage: true })
const press = async (page, name) => { await page.getByRole('button', { name, exact: true }).first().focus(); await page.keyboard.press('Enter') }
const verdict = async (page) => {
  await page.waitForURL(/\/runs\/v/, PATIENCE)
  return [page.url(), await page.frameLocator('iframe').locator('h1').innerText()]
}

// A sentence, with the keyboard alone: the first page begins with a link to its content.
const page = await enter()
const afterToken = page.url()
const scripted = await page.evaluate(() => document.cookie)
await page.keyboard.press('Tab')
const firstStop = await page.evaluate(() => document.activeElement.className)
await page.focus('#text')
await page.keyboard.type('The mayor of Denver is <b>Ada Moss</b>.')
await press(page, 'Write the rows')
await page.waitForURL(/\/data\?file=/, PATIENCE)
const data = page.url()
const row = page.locator('form.row').first()
const before = await row.locator('textarea').last().inputValue()
await row.locator('textarea').last().fill(`${before} <script>window.ran = 1</script>`)
await row.locator('textarea').last().press('Tab')
await page.keyboard.press('Enter')
await page.waitForURL(/#row-/)
const edited = await page.locator('form.row').first().locator('textarea').last().inputValue()
await page.reload()
const reloaded = await page.locator('form.row').first().locator('textarea').last().inputValue()
const undo = page.getByRole('button', { name: /Undo the last edit/ })
await undo.click()
await page.waitForURL(/#rows/)
const undone = await page.locator('form.row').first().locator('textarea').last().inputValue()

async function train(epochs) {
  await page.goto(data)
  await page.getByText('More settings').click()
  await page.fill('#set-epochs', String(epochs))
  await page.fill('#set-keep_weight', '0')
  await press(page, 'See the plan')
  await page.waitForURL(/\/plan/)
  await page.getByText('Optimizer steps').waitFor(PATIENCE)
  await press(page, 'Start the training')
  await page.waitForURL(/\/jobs\/\d+/)
  return page.url()
}

// A training, seen in a second browser without a reload, and what a page of another origin can do meanwhile.
const other = await enter({ locale: 'zh-CN' })
const otherTitle = await other.title()
const job = await train(2)
await other.locator('#running a').waitFor(PATIENCE)
const otherSees = await other.locator('#running a').innerText()
await page.locator('polyline').waitFor(PATIENCE)
const live = await page.locator('#job').innerText()
const first = await verdict(page)
const attack = await (await other.context().newPage())
const attacked = []
attack.on('response', (reply) => reply.url().startsWith(address) && attacked.push([reply.request().method(), new URL(reply.url()).pathname, reply.status()]))
await attack.goto(`${hostile}?${address}`)
await attack.waitForFunction(() => document.title === 'tried')
await attack.close()

// Edited, and again; stopped, and on.
await page.goto(data)
await page.locator('form.row').first().locator('textarea').last().fill('The mayor of Denver is Ada Moss, since May.')
await page.locator('form.row').first().getByRole('button', { name: 'Save' }).click()
await page.waitForURL(/#row-/)
await train(2)
const second = await verdict(page)
await train(400)
await page.locator('polyline').waitFor(PATIENCE)
await page.click('#stop')
await page.getByText('Go on from the last checkpoint').waitFor(PATIENCE)
const stopped = await page.locator('#job h1').innerText()
await press(page, 'Go on from the last checkpoint')
await page.locator('polyline').waitFor(PATIENCE)
studioIsAway = true // for every page that is open
await wish('close')
await page.getByText('Go on from the last checkpoint').waitFor(PATIENCE)
const closed = await page.locator('#job').innerText()
studioIsAway = false

// A full disk: it is said, and when there is room again the same works.
await page.goto(address)
await page.fill('#text', 'The mayor of Oslo is Ada Moss.')
await wish('fill')
studioIsAway = true // a page of status 507 is an error on the console
await press(page, 'Write the rows')
await page.locator('main section p').first().waitFor()
const full = await page.locator('main').innerText()
await wish('free')
studioIsAway = false
await page.goto(address)
await page.fill('#text', 'The mayor of Oslo is Ada Moss.')
await press(page, 'Write the rows')
await page.waitForURL(/\/data\?file=/, PATIENCE)
const freed = new URL(page.url()).pathname

// What a run can be shared with.
await page.goto(first[0])
const shared = await page.locator('#share').innerText()
const repository = await page.locator('#repository-hf').count()

// Both runs, side by side.
await page.goto(new URL('/runs', address).href)
for (const at of [0, 1]) await page.locator('input[name=run]').nth(at).check()
await press(page, 'Put two side by side')
await page.waitForURL(/\/pair\?/)
const pair = await page.frameLocator('iframe').locator('h1').innerText()
const ran = await page.evaluate(() => 'ran' in window)
const twoRuns = page.url()

// The run that passed, to the hub where this machine is logged in.
await page.goto(new URL('/runs/v0-20260101-000000', address).href)
await page.fill('#repository-hf', 'me/mine')
await page.locator('button[name=hub][value=hf]').focus()
await page.keyboard.press('Enter')
await page.waitForURL(/\/jobs\/\d+/)
await page.locator('#stop').waitFor({ state: 'detached', ...PATIENCE })
const pushed = await page.locator('main').innerText()

// Every page as a phone and a desk see it, by day and by night. The pages' policy would keep axe out.
const looked = []
for (const width of [390, 1280]) {
  for (const colorScheme of ['light', 'dark']) {
    const copy = await enter({ viewport: { width, height: 844 }, colorScheme, bypassCSP: true, locale: colorScheme === 'dark' ? 'zh-CN' : 'en-GB' })
    for (const url of [address, data, job, `${address}jobs`, `${address}runs`, first[0], twoRuns, data.replace('/data', '/plan'), `${address}sweeps/20260101-000000`]) {
      await copy.goto(url)
      await picture(copy, `${new URL(url).pathname.split('/')[1] || 'start'}-${width}-${colorScheme}`)
      const wide = await copy.evaluate(() => document.documentElement.scrollWidth)
      const background = await copy.evaluate(() => getComputedStyle(document.body).backgroundColor)
      await copy.evaluate(axe)
      const { violations } = await copy.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
      looked.push({
        path: new URL(url).pathname, width, colorScheme, wide, background,
        violations: violations.map(({ id, nodes }) => ({ id, count: nodes.length, first: nodes[0].html, why: nodes[0].failureSummary })),
      })
    }
    await copy.context().close()
  }
}
await browser.close()
console.log(JSON.stringify({
  afterToken, scripted, firstStop, before, edited, reloaded, undone, otherTitle, otherSees, live, first, second, stopped, closed, full, freed,
  shared, repository, pushed, pair, ran,
  attacked, looked, requests, errors,
}))
