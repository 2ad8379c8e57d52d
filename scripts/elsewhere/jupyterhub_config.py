"""A JupyterHub on this machine with two users, each with a checkout of their own. For the test beside it."""

import json
import os

where = json.loads(os.environ["POLLING_LAB_HUB"])

c = get_config()  # noqa: F821: JupyterHub's
c.JupyterHub.bind_url = f"http://127.0.0.1:{where['port']}"
c.JupyterHub.hub_port = where["hubPort"]
c.JupyterHub.db_url = f"sqlite:///{where['work']}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{where['work']}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = set(where["checkouts"])
c.ConfigurableHTTPProxy.command = [where["proxy"]]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{where['apiPort']}"
c.ConfigurableHTTPProxy.pid_file = f"{where['work']}/proxy.pid"
c.JupyterHub.spawner_class = "simple"  # every user is the one who runs this
c.SimpleLocalProcessSpawner.home_dir_template = where["work"] + "/{username}"
c.Spawner.cmd = [f"{where['venv']}/bin/jupyterhub-singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.default_url = "/lab"
c.Spawner.environment = {"ALLOW_HOST": where["name"]}  # the course's server is asked for under the Hub's name
c.Spawner.start_timeout = c.Spawner.http_timeout = 120


def into_their_checkout(spawner):
    spawner.notebook_dir = where["checkouts"][spawner.user.name]


c.Spawner.pre_spawn_hook = into_their_checkout
