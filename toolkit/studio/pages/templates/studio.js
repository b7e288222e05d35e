// Keeps the page as the server has it: the server says that something changed, the page is read again, and the parts
// that are marked data-live are replaced. What somebody types is never replaced.
'use strict'

let versions = []
let busy = false
let waiting = null

const typing = (part) => part.querySelector('form[data-dirty]') || (part.contains(document.activeElement) && document.activeElement.matches('textarea,input,select'))

async function refresh(address) {
  if (busy) {
    waiting = location.href
    return
  }
  busy = true
  try {
    const reply = await fetch(address)
    if (!reply.ok) return
    const fresh = new DOMParser().parseFromString(await reply.text(), 'text/html')
    if (address !== '/frame') document.body.toggleAttribute('data-quiet', fresh.body.hasAttribute('data-quiet'))
    const wasThere = document.querySelector('a[data-go]') !== null
    for (const part of document.querySelectorAll('[data-live]')) {
      const now = fresh.getElementById(part.id)
      if (!now || part.isEqualNode(now)) continue
      if (typing(part)) {
        document.getElementById('stale').textContent = document.getElementById('main').dataset.stale
        continue
      }
      const focused = part.contains(document.activeElement) ? document.activeElement.id : ''
      const open = [...part.querySelectorAll('details[open]')].map((one) => one.id)
      const pinned = [...part.querySelectorAll('pre')].map((one) => one.scrollTop + one.clientHeight >= one.scrollHeight - 4)
      part.replaceWith(document.adoptNode(now))
      for (const id of open) if (id && document.getElementById(id)) document.getElementById(id).open = true
      now.querySelectorAll('pre').forEach((one, at) => { if (pinned[at]) one.scrollTop = one.scrollHeight })
      if (focused && document.getElementById(focused)) document.getElementById(focused).focus()
    }
    for (const one of document.querySelectorAll('button')) {
      const now = one.id || one.closest('[data-live]') ? null : [...fresh.querySelectorAll('button')].find((other) => other.textContent === one.textContent && other.value === one.value && other.form?.action === one.form?.action)
      if (now) one.disabled = now.disabled
    }
    const onward = document.querySelector('a[data-go]')
    if (!wasThere && onward) location.assign(onward.href)
  } catch {
    return // the server is gone for now; the next version that it sends leads here again
  } finally {
    busy = false
    if (waiting) [address, waiting] = [waiting, null]
    else address = null
  }
  if (address) refresh(address)
}

function changed({ data }) {
  const [files, progress] = data.split(' | ')
  // Where only a job went on, a page that shows no job needs its frame and nothing else. The first version comes after
  // the page was made, and may be a newer one.
  const onlyProgress = versions[0] === files && 'quiet' in document.body.dataset
  if (versions[0] !== files || versions[1] !== progress) refresh(onlyProgress ? '/frame' : location.href)
  versions = [files, progress]
}

// A browser opens few connections to one server: a tab that nobody sees needs none.
let source = null
function follow() {
  source?.close()
  source = document.hidden ? null : new EventSource('/events')
  if (source) source.onmessage = changed
}
document.addEventListener('visibilitychange', follow)
follow()
document.addEventListener('input', ({ target }) => target.form?.setAttribute('data-dirty', ''))

const drop = document.querySelector('form[data-drop]')
if (drop) {
  document.addEventListener('dragover', (event) => event.preventDefault())
  document.addEventListener('drop', (event) => {
    event.preventDefault()
    if (event.dataTransfer.files.length !== 1) return
    drop.querySelector('input[type=file]').files = event.dataTransfer.files
    drop.requestSubmit()
  })
}
