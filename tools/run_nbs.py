"Run notebooks in place and keep the saved outputs of the cells that nbdev's test flags skip."
import os
from fastcore.all import call_parse, working_directory
from execnb.nbio import read_nb, write_nb
from execnb.shell import CaptureShell
from nbdev.clean import nbdev_clean
from nbdev.config import get_config
from nbdev.doclinks import nbglob
from nbdev.frontmatter import FrontmatterProc
from nbdev.process import NBProcessor

def run_nb(p, skip):
    "Run the notebook `p` and save its outputs"
    nb = NBProcessor(p, procs=FrontmatterProc, process=True).nb
    directives = {c.id: (getattr(c, 'directives_', None) or {}) for c in nb.cells}
    raw = read_nb(p)
    def skipped(c):
        d = directives.get(c.id, {})
        return c.cell_type != 'code' or d.get('eval:', [''])[0].lower() == 'false' or bool(skip & d.keys())
    with working_directory(p.parent): CaptureShell(p).run_all(raw, exc_stop=True, preproc=skipped)
    write_nb(raw, p)

@call_parse
def main(
    path: str = '', # only notebooks whose path contains this
    flags: str = '', # test flags to run that are normally skipped, such as "slow"
):
    "Run notebooks in place and clean them"
    cfg = get_config()
    os.environ['PYTHONPATH'] = str(cfg.config_path)
    skip = set(cfg.tst_flags.split()) - set(flags.split())
    for p in sorted(nbglob(cfg.nbs_path, as_path=True)):
        if path in str(p):
            print(p.name)
            run_nb(p.absolute(), skip)
    nbdev_clean.__wrapped__()
