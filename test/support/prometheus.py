"""A real Prometheus that scrapes what its configuration says, in a directory of its own."""

import json
import urllib.parse

from support import http
from support.process import Process, free_port, wait_until


class Prometheus:
    """`config` is the text of its configuration file; `folder` takes the file and the database."""

    def __init__(self, folder, config):
        self.where = ("127.0.0.1", free_port())
        file = folder / "prometheus.yml"
        file.write_text(config)
        self.process = Process(["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}",
                                "--web.listen-address=%s:%d" % self.where, "--log.level=warn"])
        wait_until(self._ready, "Prometheus to be ready")

    def _ready(self):
        assert self.process.running, self.process.stderr
        try:
            return http.get(self.where, "/-/ready").status == 200
        except OSError:
            return False

    def _api(self, path):
        answer = http.get(self.where, "/api/v1/" + path)
        assert answer.status == 200, answer
        return json.loads(answer.body)["data"]

    def query(self, expression):
        """[(labels, value text)] of an instant query."""
        result = self._api("query?" + urllib.parse.urlencode({"query": expression}))["result"]
        return [(row["metric"], row["value"][1]) for row in result]

    def targets(self):
        return self._api("targets")["activeTargets"]

    def stop(self):
        self.process.terminate()
