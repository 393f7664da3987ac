"Every estimator on populations that records of real models hold: few models, and examples on which models agree"
import itertools, warnings
import numpy as np, pytest
from machine_unlearning.audit import (bayes, certified, competition, gdp, klom, membership, memory, permutation,
    resampling, set_attack)

def gap(r, u): return memory.memory_left(memory.memory(r, r[:2]), memory.memory(r, r[:2], u, u[:2]), one=True)

estimators = dict(
    competition=competition.competition_epsilon, certified=certified.certified, certified_max=certified.certified_max,
    hull=lambda r, u: certified.certified(r, u, rule='hull'), credible=bayes.credible,
    gaussian=gdp.gdp_epsilon, gaussian_p_value=gdp.gaussian_p_value,
    permutation=lambda r, u: permutation.permutation_test(r, u, draws=19),
    excess=lambda r, u: permutation.epsilon_excess(r, u, draws=4), sets=lambda r, u: set_attack.set_attack(r, u, draws=4),
    gap=gap, gap_test=lambda r, u: memory.memory_test(r, r[:2], u, u[:2], draws=19),
    energy=lambda r, u: memory.memory_energy(r, r[:2], u, u[:2]),
    ranks=lambda r, u: memory.normal_ranks(r, r[:2]), from_examples=lambda r, u: memory.example_variance(r, r[:2], u[:2]),
    u_lira=membership.u_lira, rmia=lambda r, u: membership.rmia(r, u, r[:2], u[:2]),
    klom=lambda r, u: klom.klom_audit(r, u, draws=4), interval=lambda r, u: resampling.epsilon_interval(r, u, draws=4))

def populations(S, N, M):
    "Scores of N and M models: usual ones, and the ways in which models agree"
    rng = np.random.default_rng([S, N, M])
    r,u = rng.normal(size=(S, N)), rng.normal(size=(S, M))
    one = np.zeros((S, N)); one[:, 0] = 1
    return dict(usual=(r, u), all_agree=(0*r, 0*u), retrained_agree=(0*r, u), unlearned_agree=(r, 0*u), apart=(0*r, 0*u+1),
        clipped=(r.clip(-.3, .3), u.clip(-.3, .3)), rounded=(np.round(r), np.round(u)), one_differs=(one, 0*u),
        tiny=(1e-300*r, 1e-300*u), huge=(1e30*r, 1e30*u), far_from_0=(r+1e9, u+1e9), heavy=(r**9, u**9))

@pytest.mark.parametrize('name', estimators)
def test_answers_or_says_how_many_models_it_needs(name):
    for S,N,M in itertools.product((1, 3), (2, 3, 5, 12), (2, 4, 9)):
        for kind,(r,u) in populations(S, N, M).items():
            with warnings.catch_warnings():
                warnings.simplefilter('error')
                try: estimators[name](r, u)
                except ValueError as e: assert 'at least' in str(e), f'{kind}, {N} and {M} models: {e}'

@pytest.mark.parametrize('name', estimators)
def test_eight_models_are_enough(name):
    for kind,pair in populations(6, 8, 8).items(): estimators[name](*pair)

def test_an_example_on_which_all_agree_changes_no_other():
    rng = np.random.default_rng(0)
    r,u = rng.normal(size=(5, 20)), rng.normal(1, 1, size=(5, 20))
    flat_r,flat_u = (np.insert(x, 2, 36.7, axis=0) for x in (r, u))
    for f in certified.certified, competition.competition_epsilon, gdp.gdp_epsilon, gdp.gaussian_p_value, klom.klom:
        np.testing.assert_array_equal(np.delete(f(flat_r, flat_u), 2), f(r, u))
    for flat,plain in zip(bayes.credible(flat_r, flat_u), bayes.credible(r, u)):
        np.testing.assert_array_equal(np.delete(flat, 2), plain)
    assert certified.certified(flat_r, flat_u)[2] == 0
    np.testing.assert_array_equal(membership.u_lira(flat_r, flat_u).auc_each, np.insert(membership.u_lira(r, u).auc_each, 2, .5))
