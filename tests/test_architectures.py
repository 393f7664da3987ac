import importlib.util
from pathlib import Path
import pandas as pd, pytest

root = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location('architectures', root/'tools/architectures.py')
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)
found = pd.read_csv(tool.path, keep_default_na=False).set_index(['network', 'method']).found
names = [m for m in tool.methods if m in found.index.levels[1]]

@pytest.mark.parametrize('k', range(len(tool.networks)), ids=[c.name for c in tool.networks])
def test_cells(k):
    "All refusals of a network and an eighth of what works, another eighth for each network"
    case = tool.networks[k]
    told = found[case.name]
    tried = [m for j,m in enumerate(names) if told[m] != 'works' or (j + k) % 8 == 0]
    assert {m: tool.cell(m, case) for m in tried} == told[tried].to_dict()
