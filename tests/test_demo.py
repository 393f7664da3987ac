"The whole experiment as a command: twice the same, and on CIFAR-10."
import subprocess, sys
from pathlib import Path

command = str(Path(sys.executable).with_name('mu_demo'))

def table(folder): return (folder/'table.csv').read_text()

def test_two_workers_give_the_same_table(tmp_path):
    for workers in '1', '2':
        subprocess.run([command, '--approaches', 'finetune,prune_last_layer', '--n', '3', '--epochs', '20', '--width', '4', '--limit', '400',
            '--workers', workers, '--out', tmp_path/workers], check=True, capture_output=True)
    assert table(tmp_path/'1') == table(tmp_path/'2')

def test_cifar10(shared, tmp_path):
    data = tmp_path/'data'
    subprocess.run([sys.executable, shared/'restore_cifar10.py', shared, data], check=True, capture_output=True)
    r = subprocess.run([command, '--task', 'cifar10', '--data-dir', data, '--out', tmp_path/'out', '--width', '4', '--limit', '300', '--epochs', '2',
        '--n', '2', '--approaches', 'finetune,activation_reset'], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    assert len(table(tmp_path/'out').splitlines()) == 4 and str(tmp_path/'out'/'table.csv') in r.stdout
