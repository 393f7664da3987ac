"A network and a method defined in the cells of a notebook, run by a real kernel."
import pytest
nbformat,nbclient = pytest.importorskip('nbformat'), pytest.importorskip('nbclient')

first = '''import torch, torch.nn as nn
from machine_unlearning.data import Data
from machine_unlearning.plan import Plan
from machine_unlearning.population import run
from machine_unlearning.task import Task
from machine_unlearning.train import Recipe
from machine_unlearning.unlearn import method
gen = torch.Generator().manual_seed(0)
data = Data(torch.randn(90, 4, generator=gen), torch.arange(90) % 3)
def go(n=2):
    task = Task(data[:60], data[60:], Net, recipe=Recipe(1, .1, 16, 'constant'), control=12)
    run(Plan('own', task, approaches=('mine',), n=n))
'''
net = '''class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(4, 3)
    def forward(self, x): return {}*self.f(x)
'''
mine = '''@method('Mine')
def mine(model, request, lr=.1): return request.train(model, request.retain, 1, lr)
'''
again = '''import pathlib
made = lambda: {p: p.stat().st_mtime_ns for p in pathlib.Path('own/units').glob('*/*.safetensors')}
before = made()
go(3)
after = made()
print(len(after) - len(before), all(after[p] == t for p,t in before.items()))
'''
refused = '''try: go()
except ValueError as e: print('code.model' in str(e) and 'code.network' in str(e))
'''

def test_network_and_method_of_a_notebook(tmp_path):
    "They are made, found again when only `n` grows, and refused when a cell with the network was edited"
    cells = [first, net.format(1), mine, 'go()', net.format(1) + '\n# run once more', again, net.format(2), refused]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    client = nbclient.NotebookClient(notebook, timeout=600, kernel_name='python3', resources=dict(metadata=dict(path=str(tmp_path))))
    client.execute()
    said = [''.join(o.get('text', '') for o in c.outputs if o.get('name') == 'stdout').strip() for c in notebook.cells]
    assert [s for s in said if s] == ['3 True', 'True']
