from pytest_warmci.store.atomic import *  # noqa
