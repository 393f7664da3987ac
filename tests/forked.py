"Processes that start with the usual imports done, for tests of anything but how Python starts."
import multiprocessing, os, signal, subprocess, sys, tempfile, time
from importlib import metadata
from pathlib import Path

context = multiprocessing.get_context('forkserver') # imports what all processes need once, and forks them from there
context.set_forkserver_preload(['torch', 'torch._dynamo', 'pandas', 'matplotlib.pyplot', 'scipy.stats', 'sklearn.datasets', 'nbdev.test', 'fastcore.test'])

def script(args, cwd, out, err, session):
    "Do what a console script does, with its output in files"
    for path,stream in (out, 1), (err, 2): os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    signal.signal(signal.SIGINT, signal.default_int_handler) # hear the keyboard even where the tests run in the background
    os.chdir(cwd)
    sys.argv = args
    if session: os.setsid()
    metadata.entry_points(group='console_scripts')[args[0]].load()()

class Started:
    "A console script that runs in a process of its own"
    def __init__(self, *args, cwd='.', session=False):
        self.args,self.tmp = [str(a) for a in args], tempfile.TemporaryDirectory()
        self.files = [Path(self.tmp.name)/n for n in ('out', 'err')]
        self.process = context.Process(target=script, args=(self.args, cwd, *self.files, session))
        self.process.start()
        self.pid = self.process.pid
        while session and os.getpgid(self.pid) != self.pid and not self.ended(): time.sleep(.001)

    def ended(self): return not self.process.is_alive()

    def result(self):
        "Wait for its end; exit status and what it said"
        self.process.join()
        return subprocess.CompletedProcess(self.args, self.process.exitcode, *(f.read_text() for f in self.files))

def run(*args, **kw): return Started(*args, **kw).result()
