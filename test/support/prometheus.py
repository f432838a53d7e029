"""A real Prometheus that scrapes what its configuration says, in a directory of its own."""

import json
import time
import urllib.parse

from support import http
from support.process import Process, free_port, wait_until


class Prometheus:
    """`config` is the text of its configuration file; `folder` takes the file and the database, and is made."""

    def __init__(self, folder, config, *flags):
        self.where = ("127.0.0.1", free_port())
        folder.mkdir(exist_ok=True)
        file = folder / "prometheus.yml"
        file.write_text(config)
        self.process = Process(["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}",
                                "--web.listen-address=%s:%d" % self.where, "--log.level=warn", *flags])
        wait_until(self._ready, "Prometheus to be ready")

    def _ready(self):
        assert self.process.running, self.process.stderr
        try:
            return http.get(self.where, "/-/ready").status == 200
        except OSError:
            return False

    def api(self, path, **parameters):
        """The field `data` of an answer below /api/v1/."""
        answer = http.get(self.where, f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        assert answer.status == 200, answer
        return json.loads(answer.body)["data"]

    def query(self, expression):
        """[(labels, value text)] of an instant query; a native histogram is a dictionary."""
        rows = self.api("query", query=expression)["result"]
        return [(row["metric"], row[kind][1]) for row in rows for kind in ("value", "histogram") if kind in row]

    def exemplars(self, expression):
        """[(labels of the series, exemplar)] of the last minute."""
        now = time.time()
        found = self.api("query_exemplars", query=expression, start=now - 60, end=now + 1)
        return [(row["seriesLabels"], exemplar) for row in found for exemplar in row["exemplars"]]

    def metadata(self):
        """{family: [{type, help, unit}]}."""
        return self.api("metadata")

    def targets(self):
        return self.api("targets")["activeTargets"]

    def stop(self):
        self.process.terminate()
