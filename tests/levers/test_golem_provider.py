"""The lever of a provider: its files, the agent that watches them, and what it then offers."""

import json

import pytest

from orch.errors import LeverError
from orch.levers.golem_provider import GIB_GB, LEVER, GolemProviderOptions
from orch.model.resources import Resources
from orch.model.wire import Secret
from tests.fakes.hands import PaperHost, bad, good, pull

HARDWARE, PRESETS = "/provider/hardware.json", "/provider/presets.json"
OPTIONS = GolemProviderOptions(path="/provider", app_key=Secret(value="hush"))
FILES = {
    HARDWARE: json.dumps(
        {
            "active": "default",
            "profiles": {
                "default": {"cpu_threads": 3, "mem_gib": 8.0, "storage_gib": 50.0, "future": "kept"},
                "night": {"cpu_threads": 1, "mem_gib": 1.0, "storage_gib": 1.0},
            },
        }
    ).encode(),
    PRESETS: json.dumps({"ver": "V1", "active": ["vm"], "presets": [{"name": "vm"}], "future": "kept"}).encode(),
}


class Agent:
    """Takes its files up when it is asked the `delay`-th time after an edit; may fail until it is toggled."""

    def __init__(self, *, delay=2, fails=False, deaf=False):
        self.delay, self.fails, self.deaf = delay, fails, deaf
        self.waited = 0
        self.agreements = []
        self.host = PaperHost(dict(FILES), http=self.say, on_write=self.seen)
        self.offered = self.wanted()

    def profile(self):
        document = json.loads(self.host.files[HARDWARE])
        return document["profiles"][document["active"]]

    def wanted(self):
        profile = self.profile()
        return {
            "golem.inf.cpu.threads": profile["cpu_threads"],
            "golem.inf.mem.gib": profile["mem_gib"],
            "golem.inf.storage.gib": profile["storage_gib"],
        }

    def seen(self, order):
        self.waited = 0
        if order.path == PRESETS:
            self.fails = self.fails and bool(json.loads(order.body)["active"])

    def say(self, request):
        if request.url.endswith("agreements?state=Approved"):
            return good(self.agreements)
        assert request.secret_headers == (("Authorization", Secret(value="Bearer hush")),)
        self.waited += 1
        if self.waited > self.delay and not self.deaf:
            active = json.loads(self.host.files[PRESETS])["active"]
            self.offered = self.wanted() if active and not self.fails else None
        return good([{"properties": self.offered}] if self.offered else [])


def test_the_offers_are_what_counts():
    found = pull(LEVER.read(OPTIONS), Agent().host)
    assert found.allocation == Resources(
        cpu_cores=3.0, memory_gb=round(8 * GIB_GB, 3), storage_gb=round(50 * GIB_GB, 3)
    )


def test_a_file_that_was_not_taken_up_is_told_for_it_may_be_later():
    agent = Agent(deaf=True)
    agent.host.files[HARDWARE] = agent.host.files[HARDWARE].replace(b'"cpu_threads": 3', b'"cpu_threads": 7')
    with pytest.raises(LeverError, match="offers 3 cpu_cores and its file says 7: it has not taken its file up"):
        pull(LEVER.read(OPTIONS), agent.host)


def test_without_offers_the_file_is_believed():
    agent = Agent()
    agent.host.http = lambda _: good([])
    assert pull(LEVER.read(OPTIONS), agent.host).allocation.cpu_cores == 3.0


def test_an_edit_keeps_what_it_does_not_know_and_waits_until_it_is_offered():
    agent = Agent()
    pull(LEVER.apply(OPTIONS, Resources(cpu_cores=2.0, memory_gb=4.0)), agent.host)
    written = json.loads(agent.host.files[HARDWARE])
    profile = written["profiles"]["default"]
    assert (profile["cpu_threads"], profile["storage_gib"], profile["future"]) == (2, 50.0, "kept")
    assert isinstance(profile["cpu_threads"], int)
    assert profile["mem_gib"] == pytest.approx(4.0 / GIB_GB)
    assert written["profiles"]["night"]["cpu_threads"] == 1
    assert agent.host.files[PRESETS] == FILES[PRESETS]
    found = pull(LEVER.read(OPTIONS), agent.host).allocation
    assert found == Resources(cpu_cores=2.0, memory_gb=4.0, storage_gb=round(50 * GIB_GB, 3))


def test_an_agent_whose_disk_has_not_as_much_room_as_its_file_says_is_no_failure():
    """It offers what was free at its start; threads and memory are set all the same."""
    agent = Agent()
    wanted = agent.wanted
    agent.wanted = lambda: wanted() | {"golem.inf.storage.gib": 20.0}
    pull(LEVER.apply(OPTIONS, Resources(cpu_cores=2.0)), agent.host)
    found = pull(LEVER.read(OPTIONS), agent.host).allocation
    assert (found.cpu_cores, found.storage_gb) == (2.0, round(20 * GIB_GB, 3))
    assert agent.host.done.count(f"write {PRESETS}") == 0


def test_an_agent_left_without_offers_is_made_to_try_anew():
    agent = Agent(fails=True)
    pull(LEVER.apply(OPTIONS, Resources(cpu_cores=2.0)), agent.host)
    assert agent.host.done.count(f"write {PRESETS}") == 2
    assert json.loads(agent.host.files[PRESETS]) == json.loads(FILES[PRESETS])
    assert pull(LEVER.read(OPTIONS), agent.host).allocation.cpu_cores == 2.0


def test_one_that_never_offers_it_is_told():
    agent = Agent(deaf=True)
    with pytest.raises(LeverError, match="publishes no offer of this size"):
        pull(LEVER.apply(OPTIONS, Resources(cpu_cores=2.0)), agent.host)
    assert json.loads(agent.host.files[PRESETS]) == json.loads(FILES[PRESETS])


def test_while_an_agreement_runs_nothing_need_be_offered():
    agent = Agent(deaf=True)
    agent.agreements = [{"role": "Provider", "state": "Approved"}]
    pull(LEVER.apply(OPTIONS, Resources(cpu_cores=2.0)), agent.host)
    assert agent.host.files[PRESETS] == FILES[PRESETS]


def test_presets_taken_back_by_a_change_cut_short_are_given_again():
    agent = Agent(fails=True)
    task, answer = LEVER.apply(OPTIONS, Resources(cpu_cores=2.0)), None
    while not (agent.host.done and agent.host.done[-1] == f"write {PRESETS}"):
        request = next(task) if answer is None else task.send(answer)
        answer = agent.host(request)
    task.close()  # as a crash would
    assert json.loads(agent.host.files[PRESETS])["active"] == []
    pull(LEVER.apply(OPTIONS, Resources(cpu_cores=3.0)), agent.host)
    assert json.loads(agent.host.files[PRESETS]) == json.loads(FILES[PRESETS])


def test_a_provider_that_its_operator_drained_stays_drained():
    agent = Agent()
    agent.host.files[PRESETS] = drained = FILES[PRESETS].replace(b'["vm"]', b"[]")
    agent.offered = None
    pull(LEVER.apply(OPTIONS, Resources(cpu_cores=2.0)), agent.host)
    assert agent.host.files[PRESETS] == drained


def test_no_core_at_all_takes_everything_off_the_market_and_breaks_nothing():
    agent = Agent()
    pull(LEVER.apply(OPTIONS, Resources(cpu_cores=0.0, memory_gb=0.0)), agent.host)
    presets = json.loads(agent.host.files[PRESETS])
    assert (presets["active"], presets["presets"], presets["future"]) == ([], [{"name": "vm"}], "kept")
    assert agent.offered is None
    found = pull(LEVER.read(OPTIONS), agent.host).allocation
    assert found == Resources(cpu_cores=0.0, memory_gb=0.0, storage_gb=round(50 * GIB_GB, 3))
    pull(LEVER.apply(OPTIONS, Resources(cpu_cores=3.0, memory_gb=8 * GIB_GB)), agent.host)
    assert json.loads(agent.host.files[PRESETS]) == json.loads(FILES[PRESETS])
    assert pull(LEVER.read(OPTIONS), agent.host).allocation.cpu_cores == 3.0
    assert json.loads(agent.host.files[HARDWARE]) == json.loads(FILES[HARDWARE])


def test_an_agent_that_goes_on_offering_is_told():
    agent = Agent(deaf=True)
    with pytest.raises(LeverError, match="goes on offering although no preset is active"):
        pull(LEVER.apply(OPTIONS, Resources(cpu_cores=0.0)), agent.host)


@pytest.mark.parametrize("threads", [0.4, 1.5], ids=str)
def test_threads_are_whole(threads):
    agent = Agent()
    with pytest.raises(LeverError, match="has whole threads"):
        pull(LEVER.apply(OPTIONS, Resources(cpu_cores=threads)), agent.host)
    assert agent.host.files == {**agent.host.files, **FILES}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({HARDWARE: b"{"}, "is not what the agent writes"),
        ({HARDWARE: b'{"active": "gone", "profiles": {}}'}, "has no profile gone"),
        (
            {HARDWARE: FILES[HARDWARE].replace(b'"cpu_threads": 3', b'"cpu_threads": 3.5')},
            "not what the agent writes",
        ),
        ({PRESETS: b"[]"}, "is not what the agent writes"),
    ],
    ids=["truncated", "no such profile", "half a thread", "presets of another kind"],
)
def test_files_that_are_not_the_agents_are_left_alone(files, sentence):
    agent = Agent()
    agent.host.files |= files
    with pytest.raises(LeverError, match=sentence):
        pull(LEVER.apply(OPTIONS, Resources(cpu_cores=2.0)), agent.host)
    assert not [line for line in agent.host.done if line.startswith("write")]


def test_a_daemon_that_says_nothing_is_told():
    agent = Agent()
    agent.host.http = lambda _: bad("unauthorised", "the key is not accepted")
    with pytest.raises(LeverError, match="the key is not accepted"):
        pull(LEVER.read(OPTIONS), agent.host)
    agent.host.http = lambda _: good([{"properties": {"golem.inf.cpu.threads": "many"}}])
    with pytest.raises(LeverError, match="does not say how much it offers"):
        pull(LEVER.read(OPTIONS), agent.host)


def test_what_would_be_done_is_said_without_the_key():
    said = LEVER.describe(OPTIONS, Resources(cpu_cores=2.0))
    assert said.startswith("ya-provider profile update")
    assert "hush" not in said + repr(OPTIONS)
