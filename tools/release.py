"Pack the populations of data/results as release assets, each an archive with its data card: python tools/release.py dist"
import re, sys
from configparser import ConfigParser
from pathlib import Path
from machine_unlearning.datacard import Release, write_release

root = Path(__file__).resolve().parent.parent
populations = { # folder below data/results: description
    'halves_digits': 'Logits of ten runs on scikit-learn\'s handwritten digits, each trained on 800 images and half of a pool of 400, before and after twelve methods were asked to forget the half',
    'halves_cifar10': 'Logits of eight runs of a compact network on CIFAR-10, each trained on 48,000 images and half of a pool of 2,000, before and after the eight methods of the study were asked to forget the half, and of eight networks trained without the pool',
    'halves_resnet18': 'Logits of eight runs of ResNet-18 of width 64 on CIFAR-10, made on a GPU, each trained on 48,000 images and half of a pool of 2,000, and of seven or eight answers of each of the eight methods of the study that were asked to forget the half',
    'one_cifar10': 'Logits of 16 compact networks trained on CIFAR-10 without the study\'s forget set, and of eight answers of each of its eight methods from one original',
}

def cited(line, text): return re.search(rf'^{line}: "?(.+?)"?$', text, re.M)[1]

def release_of(name):
    "What the card says of the data set as a whole, from settings.ini and CITATION.cff"
    ini = ConfigParser(delimiters=['='])
    ini.read(root/'settings.ini', encoding='utf-8')
    cfg,citation = ini['DEFAULT'], (root/'CITATION.cff').read_text(encoding='utf-8')
    version,date,title = (cited(k, citation) for k in ('version', 'date-released', 'title'))
    bibtex = f'@misc{{{name}, title={{{title}}}, author={{{cfg["author"]}}}, year={{{date[:4]}}}, url={{{cfg["git_url"]}}}}}'
    return Release(f'forget-with-precision-{name.replace("_", "-")}', populations[name], cfg['doc_host'] + cfg['doc_baseurl'],
        f'{cfg["git_url"]}/releases/download/v{version}', version, date, cfg['author'], 'https://spdx.org/licenses/Apache-2.0.html', bibtex)

def main(out='dist'):
    for name in populations: print(*write_release(root/'data'/'results'/name, out, release_of(name)), sep='\n')

if __name__ == '__main__': main(*sys.argv[1:])
