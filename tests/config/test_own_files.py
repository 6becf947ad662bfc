"""A user's own solver and strategy, in files beside `orch.toml`, taken all the way to a decision."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from orch.boot.plans import make_setting, optimizer_plan
from orch.config.load import load
from orch.errors import ConfigError
from orch.model.moves import Guards
from orch.model.resources import Resources
from orch.planning.decide import decide
from tests.fakes.values import snapshot

RULE = """
from __future__ import annotations

import msgspec

from orch.strategies.base import Advice


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    at_least_usd: float = 1.0


class MyRule:
    name = "my_rule"
    options = Options

    def advise(self, options, prospect):
        if prospect.gain_usd is None or prospect.gain_usd < options.at_least_usd:
            return Advice(move=False, reasons=("GAIN_BELOW_COST",), sentence="Not worth my while.")
        return Advice(move=True, reasons=("GAIN_ABOVE_COST",), sentence="Worth it.")


STRATEGY = MyRule()
"""

SOLVER = """
from orch.solvers.answers import found, present_split


def solve(problem, budget, seed):
    return found(problem, "my_solver", present_split(problem), bound=None, seconds=0.0, seed=seed)
"""

TABLES = """
[optimizer]
strategy = "./my_rule.py"
solver = "my_solver.py"
[optimizer.my_rule]
at_least_usd = 0.25
"""


@pytest.fixture
def own(tmp_path):
    """Write the three files, some of them changed; returns a function that loads the configuration."""

    def start(tables=TABLES, **files):
        for name, text in {"my_rule": RULE, "my_solver": SOLVER, **files}.items():
            (tmp_path / f"{name}.py").write_text(text)
        (tmp_path / "orch.toml").write_text(tables)
        return load(tmp_path / "orch.toml", {"HOME": str(tmp_path)})

    return start


def refusal(start, *args, **named):
    with pytest.raises(ConfigError) as refused:
        start(*args, **named)
    return "\n".join(refused.value.faults)


def test_own_strategy_and_solver_are_loaded_and_used(own, tmp_path):
    config = own()
    assert (config.optimizer.strategy, config.optimizer.solver) == ("my_rule", "my_solver")
    assert config.optimizer.options["my_rule"].at_least_usd == 0.25
    setting = make_setting(config, host="h", measured=Resources())
    plan = optimizer_plan(setting, 1.0, elsewhere=False)
    assert plan.strategy.name == "my_rule"
    decision, _ = decide(
        snapshot(),
        Guards(),
        plan.settings,
        strategy=plan.strategy,
        options=plan.options,
        solvers=plan.solvers,
        decision_id="d",
        plan_id="p",
        now=datetime(2026, 3, 1, tzinfo=UTC),
    )
    assert (decision.solver, decision.strategy) == ("my_solver", "my_rule")
    far = optimizer_plan(setting, 1.0).solvers["my_solver"]
    assert far.name == f"{tmp_path}/my_solver.py:solve"


def test_an_own_strategy_may_be_part_of_a_combination(own):
    config = own('[optimizer]\nstrategy = "all_of"\n[optimizer.all_of]\nof = ["./my_rule.py", "time_based"]\n')
    plan = optimizer_plan(make_setting(config, host="h", measured=Resources()), 1.0)
    assert plan.options.of == ("my_rule", "time_based")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('no')", "cannot be loaded: RuntimeError: no"),
        ("def x(:", "cannot be loaded: SyntaxError"),
        ("A = 1", "defines no STRATEGY"),
        ("STRATEGY = 1", "no function advise"),
        (RULE.replace('name = "my_rule"', 'name = "other"'), "must be 'my_rule', as the file's"),
        (RULE.replace("options = Options", "options = dict"), "no msgspec.Struct class"),
    ],
)
def test_a_file_that_is_no_strategy_is_a_fault_with_its_path(own, text, said):
    fault = refusal(own, my_rule=text)
    assert said in fault
    assert "my_rule.py" in fault


def test_files_that_others_can_change_are_refused(own, tmp_path):
    own()
    (tmp_path / "my_rule.py").chmod(0o646)
    (tmp_path / "my_solver.py").chmod(0o646)
    fault = refusal(load, tmp_path / "orch.toml", {})
    assert f"chmod o-w {tmp_path}/my_rule.py" in fault
    assert f"chmod o-w {tmp_path}/my_solver.py" in fault
    for name in ("my_rule", "my_solver"):
        (tmp_path / f"{name}.py").chmod(0o644)
    tmp_path.chmod(0o777)
    assert "others may replace files in it" in refusal(load, tmp_path / "orch.toml", {})


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
def test_files_of_another_user_are_refused(own, tmp_path):
    own()
    os.chown(tmp_path / "my_rule.py", 12345, 12345)
    assert "belongs to another user" in refusal(load, tmp_path / "orch.toml", {})


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ('[optimizer]\nstrategy = "./none.py"', "cannot be read"),
        ('[optimizer]\nsolver = "./none.py"', "cannot be read"),
        ('[optimizer]\nsolver = "./linear.py"', "the name of an installed solver"),
        ('[optimizer]\nstrategy = "./my-rule.py"', "the name must be like"),
        ('[optimizer]\nstrategy = "./my_rule.py"\n[optimizer.my_rule]\nat_last_usd = 1', "at_least_usd"),
        ('[optimizer]\nstrategy = "all_of"\n[optimizer.all_of]\nof = ["all_of"]', "part of itself"),
        ('[optimizer]\nstrategy = "all_of"\n[optimizer.all_of]\nof = ["clever"]', "no strategy 'clever'"),
        ('[optimizer]\nstrategy = "all_of"\n[optimizer.all_of]\nof = []', "at least one strategy"),
        ('[optimizer]\nstrategy = "any_of"', "optimizer.any_of.of: missing"),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(own, tables, said):
    assert said in refusal(own, tables, linear=SOLVER)
