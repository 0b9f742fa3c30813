from tests import ghost
from tests.unit.haunts import SsoHaunt


def test_x(sso: SsoHaunt) -> None:
    lane = ghost.drive(sso.lane("quick"))
    print(lane.result)
    print(sso.calls())
    print(sso.keycloak.asked)
    assert 0
