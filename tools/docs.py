"Build the site and check its links: nbdev's processors, then Quarto where it is installed and smalldocs elsewhere."
import os, re, shutil, subprocess, sys
from pathlib import Path
from nbdev.config import get_config
from nbdev.quarto import refresh_quarto_yml
from nbdev.serve import proc_nbs

def render(proc):
    "Render the processed notebooks; returns the folder with the pages"
    tool = ['quarto', 'render'] if shutil.which('quarto') else [str(Path(sys.executable).with_name('smalldocs')), 'render', '.']
    r = subprocess.run(tool, cwd=proc, text=True, capture_output=True)
    if r.returncode: sys.exit(f'{" ".join(tool)} failed:\n{r.stdout}{r.stderr}')
    return proc/get_config().doc_path.name

def broken(site):
    "Links between pages and images that lead nowhere"
    pages = {p.relative_to(site) for p in site.glob('**/*.html')}
    for p in sorted(pages):
        for link in re.findall(r'(?:href|src)="([^"#?]+)[^"]*"', (site/p).read_text()):
            if re.match(r'[a-z]+:|//', link): continue # elsewhere on the web, or inline
            target = site/link.lstrip('/') if link.startswith('/') else (site/p).parent/link
            if not target.exists(): yield p, link

def main():
    cfg = get_config()
    os.environ['PYTHONWARNINGS'] = 'error::UserWarning:nbdev' # an import beside other code would run alone
    refresh_quarto_yml()
    shutil.rmtree(cfg.config_path/'_proc', ignore_errors=True)
    site = render(proc_nbs(n_workers=2))
    pages = {str(p.relative_to(site).with_suffix('')) for p in site.glob('**/*.html')}
    missing = {str(p.relative_to(cfg.nbs_path).with_suffix('')) for p in cfg.nbs_path.glob('**/*.ipynb') if '.ipynb_checkpoints' not in p.parts} - pages
    if missing: sys.exit(f'no page for {", ".join(sorted(missing))}')
    dead = [f'{p}: {link}' for p,link in broken(site)]
    if dead: sys.exit('broken links:\n' + '\n'.join(dead))
    print(f'docs: {len(pages)} pages in {site}')

if __name__ == '__main__': main()
