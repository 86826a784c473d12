"""A Flink session cluster: a job manager and task managers, each a process."""

from pathlib import Path

from scripts.clusters.cluster import LOCALHOST, Cluster, fetch_json
from scripts.clusters.libraries import Flink, require_java

OPENED = (
    "java.base/java.lang", "java.base/java.lang.reflect", "java.base/java.net", "java.base/java.io",
    "java.base/java.nio", "java.base/sun.nio.ch", "java.base/java.text", "java.base/java.time",
    "java.base/java.util", "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic", "java.base/java.util.concurrent.locks",
)  # fmt: skip
"""What Flink looks into, which Java 17 closes to it unless told."""

CONFIG = """\
jobmanager.rpc.address: localhost
jobmanager.rpc.port: {rpc}
jobmanager.bind-host: localhost
jobmanager.memory.process.size: 1024m
jobmanager.execution.failover-strategy: region
# A task manager that is lost is seen within seconds, and its tasks begin again elsewhere.
heartbeat.interval: 2000
heartbeat.timeout: 10000
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 20
restart-strategy.fixed-delay.delay: 1 s
rest.address: localhost
rest.bind-address: localhost
rest.port: {rest}
taskmanager.host: localhost
taskmanager.bind-host: localhost
taskmanager.numberOfTaskSlots: 1
taskmanager.cpu.cores: 1.0
taskmanager.memory.task.heap.size: 384m
taskmanager.memory.task.off-heap.size: 0m
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.managed.size: 128m
taskmanager.memory.network.min: 64m
taskmanager.memory.network.max: 64m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
io.tmp.dirs: {tmp}
"""

LOGGING = """\
rootLogger.level=INFO
rootLogger.appenderRef.console.ref=Console
appender.console.name=Console
appender.console.type=CONSOLE
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{yyyy-MM-dd HH:mm:ss} %-5p %c{1}: %m%n
"""


class FlinkCluster(Cluster):
    """Flink on this machine."""

    name = "flink"

    def __init__(self, home: Path | None = None) -> None:
        """Look for the libraries when they are needed."""
        super().__init__(home)
        self._libraries = Flink(self.home)

    @property
    def page(self) -> str:
        """The address of the job manager's web page and REST interface."""
        return f"http://{LOCALHOST}:{self.port('rest')}"

    def launch(self) -> None:
        """Start the job manager and the pool of Python workers."""
        require_java()
        self._libraries.fetch()
        conf, tmp = self.folder / "conf", self.folder / "tmp"
        for folder in (conf, tmp):
            folder.mkdir(exist_ok=True)
        ports = {"rpc": self.port("rpc"), "rest": self.port("rest")}
        (conf / "config.yaml").write_text(CONFIG.format(**ports, tmp=tmp))
        (conf / "log4j.properties").write_text(LOGGING)
        entry = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        self.spawn("jobmanager", self._java("-Xmx700m", entry))
        self.start_pool()
        self.wait(lambda: "flink-version" in fetch_json(f"{self.page}/overview"), "job manager")

    def grow(self) -> int:
        """Start one more task manager."""
        entry = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        memory = ["-Xmx512m", "-XX:MaxDirectMemorySize=256m", "-XX:MaxMetaspaceSize=256m"]
        return self.spawn("taskmanager", self._java(*memory, entry))

    def ready(self, workers: int) -> bool:
        """Say whether so many task managers are registered."""
        return int(fetch_json(f"{self.page}/overview")["taskmanagers"]) >= workers

    def options(self) -> list[str]:
        """Return the options that lead a job here."""
        return [
            "--runner=FlinkRunner",
            f"--flink_master={LOCALHOST}:{self.port('rest')}",
            f"--flink_job_server_jar={self._libraries.job_server}",
            f"--parallelism={max(len(self.pids('taskmanager')), 1)}",
            *self.pool_options(),
        ]

    def _java(self, *words: str) -> list[str]:
        conf = self.folder / "conf"
        opened = [f"--add-opens={package}=ALL-UNNAMED" for package in OPENED]
        log = f"-Dlog4j.configurationFile=file:{conf}/log4j.properties"
        *memory, entry = words
        paths = ["-cp", f"{self._libraries.jars}/*"]
        return ["java", *opened, log, *memory, *paths, entry, "--configDir", str(conf)]
