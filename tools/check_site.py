"Open every page of the built site in headless Chromium, wide and on a phone, and list what is broken: `python tools/check_site.py`, after `python tools/docs.py`."
import base64, functools, http.server, json, mimetypes, os, re, shutil, subprocess, sys, tempfile, threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse
from fastcore.script import call_parse
from nbdev.config import get_config

widths = dict(desktop=(1280, 800), phone=(390, 844))
flags = '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --remote-debugging-pipe'.split()

# What a page says about itself: its links, its anchors, its pictures, and what sticks out of it without a scroll bar of its own
# (a menu that waits beyond the left edge does not, nor what KaTeX hides)
look = '''new Promise(done => setTimeout(done, 100)).then(() => {
  const scrolls = e => { for (let p = e.parentElement; p && p !== document.body; p = p.parentElement) if (/auto|scroll/.test(getComputedStyle(p).overflowX)) return true; return false }
  const wide = [...document.querySelectorAll('body *')].filter(e => { const r = e.getBoundingClientRect(); return r.width && r.height && (r.right > innerWidth+1 || r.left < -1) && r.right > 0 && !e.closest('svg *, .katex-mathml, mjx-assistive-mml, .MJX_Assistive_MathML, .visually-hidden') && getComputedStyle(e).visibility != 'hidden' && !scrolls(e) })
  const name = e => e.tagName.toLowerCase() + (e.id ? '#'+e.id : '') + (typeof e.className == 'string' && e.className ? '.'+e.className.trim().split(/\\s+/).join('.') : '')
  return { links: [...document.querySelectorAll('a[href]')].map(a => a.href), ids: [...document.querySelectorAll('[id]')].map(e => e.id),
    images: [...document.images].map(i => ({src: i.src.slice(0, 80), alt: i.alt, broken: !(i.complete && i.naturalWidth)})),
    page: document.documentElement.scrollWidth - innerWidth, wide: wide.slice(0, 3).map(name) }
})'''

class Browser:
    "Chromium behind its debugging pipe: one JSON message after another, each closed by a zero byte"
    def __init__(self, profile, web=None):
        exe = shutil.which('chromium') or shutil.which('google-chrome')
        if not exe: sys.exit('check_site: Chromium is needed (apt-get install chromium)')
        theirs,self.out = os.pipe()
        self.inp,mine = os.pipe()
        self.process = subprocess.Popen(['bash', '-c', f'exec "$@" 3<&{theirs} 4>&{mine}', 'bash', exe, *flags, f'--user-data-dir={profile}', 'about:blank'],
            pass_fds=(theirs, mine), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs); os.close(mine)
        self.web,self.sent,self.rest,self.session,self.events = web, 0, b'', None, []

    def close(self):
        os.close(self.out) # Chromium ends when nobody speaks to it
        self.process.wait(30)

    def read(self):
        "The next message"
        while b'\0' not in self.rest:
            if not (more := os.read(self.inp, 2**20)): sys.exit('check_site: Chromium ended')
            self.rest += more
        line,_,self.rest = self.rest.partition(b'\0')
        return json.loads(line)

    def call(self, method, **params):
        "Send a command and wait for its answer; events on the way are kept"
        wanted = self.send(method, **params)
        while (m := self.read()).get('id') != wanted: self.handle(m)
        if 'error' in m: raise RuntimeError(f'{method}: {m["error"]["message"]}')
        return m['result']

    def handle(self, m):
        "Keep an event; answer a request that must not leave this machine"
        if m.get('method') == 'Fetch.requestPaused': self.answer(m['params'])
        elif 'method' in m: self.events.append(m)

    def send(self, method, **params):
        "Send a command without waiting; returns its number"
        self.sent += 1
        message = dict(id=self.sent, method=method, params=params) | (dict(sessionId=self.session) if self.session else {})
        os.write(self.out, json.dumps(message).encode() + b'\0')
        return self.sent

    def answer(self, request):
        "Let requests to the site pass; all others get a copy from the folder `web`, or an empty file"
        url = urlparse(request['request']['url'])
        if url.scheme not in ('http', 'https') or url.hostname == '127.0.0.1': return self.send('Fetch.continueRequest', requestId=request['requestId'])
        copy = self.web/url.hostname/url.path.lstrip('/') if self.web else None
        body = copy.read_bytes() if copy and copy.is_file() else b''
        headers = [dict(name='Content-Type', value=mimetypes.guess_type(url.path)[0] or 'text/plain'), dict(name='Access-Control-Allow-Origin', value='*')]
        self.send('Fetch.fulfillRequest', requestId=request['requestId'], responseCode=200, responseHeaders=headers, body=base64.b64encode(body).decode())

    def wait(self, method):
        "Wait for an event"
        while not any(e['method'] == method for e in self.events): self.handle(self.read())

    def tab(self):
        "Open a tab, and speak to it from now on"
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self.session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in 'Page', 'Runtime', 'Log': self.call(f'{domain}.enable')
        self.call('Fetch.enable')

    def visit(self, url, width, height, dark=False):
        "Load a page; returns what it says about itself, and the errors of its console"
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call('Emulation.setEmulatedMedia', features=[dict(name='prefers-color-scheme', value='dark' if dark else 'light')])
        self.events.clear()
        self.call('Page.navigate', url=url)
        self.wait('Page.loadEventFired')
        found = self.call('Runtime.evaluate', expression=look, awaitPromise=True, returnByValue=True)['result']['value']
        return found, [error for e in self.events if (error := console_error(e))]

    def picture(self, path, width, tallest=6000):
        "Save a picture of the whole page, cut where it gets too long"
        height = self.call('Page.getLayoutMetrics')['cssContentSize']['height']
        clip = dict(x=0, y=0, width=width, height=min(height, tallest), scale=1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call('Page.captureScreenshot', captureBeyondViewport=True, clip=clip)['data']))

def console_error(event):
    "What an event says if it is an error, else None"
    p = event['params']
    if event['method'] == 'Runtime.exceptionThrown': return p['exceptionDetails'].get('exception', {}).get('description') or p['exceptionDetails']['text']
    if event['method'] == 'Runtime.consoleAPICalled' and p['type'] in ('error', 'assert'): return ' '.join(str(a.get('value', a.get('description'))) for a in p['args'])
    if event['method'] == 'Log.entryAdded' and p['entry']['level'] == 'error' and not p['entry'].get('url', '').endswith('/favicon.ico'): return f'{p["entry"]["text"]} {p["entry"].get("url", "")}'

def serve(site):
    "Serve the folder on this machine; returns the address"
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args): pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Handler, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f'http://127.0.0.1:{server.server_port}/'

def page_problems(found, errors):
    "What is wrong with a page seen alone"
    for i in found['images']:
        if i['broken']: yield f'image missing: {i["src"]}'
        if not i['alt'].strip(): yield f'image without alt text: {i["src"]}'
    if found['page'] > 0 or found['wide']: yield f'wider than the window by {max(found["page"], 0)} px: {", ".join(found["wide"]) or "the page"}'
    for e in errors: yield f'console: {e}'

def link_problems(found, anchors, root, address):
    "Links of a page to pages or anchors of the site that do not exist"
    for link in sorted(set(found['links'])):
        url,anchor = urldefrag(link.replace(address, root))
        if not url.startswith(root): continue
        target = unquote(url.removeprefix(root)) or 'index.html'
        if target not in anchors: yield f'broken link: {target}'
        elif anchor and unquote(anchor) not in anchors[target]: yield f'broken link: no #{unquote(anchor)} in {target}'

@call_parse
def main(
    site: str = None, # folder with the pages, by default where tools/docs.py puts them
    shots: str = None, # folder for a picture of every page at both widths
    web: str = None, # folder with copies of remote files, as host/path; what is missing there is answered with an empty file
    dark: bool = False, # ask for the dark theme
    only: str = '', # only pages whose path contains this; links are then not checked
):
    "Check every page of the built site at 1280 and at 390 pixels, without the network"
    config = get_config()
    site = Path(site or config.config_path/'_proc'/config.doc_path.name)
    pages = sorted(str(p.relative_to(site)) for p in site.glob('**/*.html') if only in str(p))
    if not pages: sys.exit(f'check_site: {site}: no pages, expected those of tools/docs.py')
    problems,seen,root = [], {}, serve(site)
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(profile, Path(web) if web else None)
        try:
            browser.tab()
            for page in pages:
                for name,size in widths.items():
                    seen[page],errors = browser.visit(root + page, *size, dark)
                    problems += [f'{page} ({name}): {p}' for p in dict.fromkeys(page_problems(seen[page], errors))]
                    if shots: browser.picture(Path(shots)/name/(page.replace('/', '-').removesuffix('.html') + '.png'), size[0])
        finally: browser.close()
    anchors = {page: set(found['ids']) for page,found in seen.items()}
    anchors |= {re.sub(r'(^|/)\d+[a-z]?_', r'\1', page): a for page,a in anchors.items()} # Quarto drops the number in front of a notebook's name
    address = config.doc_host + config.doc_baseurl + '/'
    if not only: problems += [f'{page}: {p}' for page in pages for p in link_problems(seen[page], anchors, root, address)]
    print('\n'.join(problems + [f'{len(pages)} pages, {len(problems)} problems']))
    sys.exit(bool(problems))
