"""
The process engines that the suite can start, and what each needs to be put together.
"""

from collections.abc import Mapping

import attrs

from tests.engines.databases import MARIADB, POSTGRESQL, Database

SHARED_SOURCE = "shared/Engine.java"
CAMUNDA_SOURCES = (SHARED_SOURCE, "camunda/BasicAuthentication.java")
OPERATON_SOURCES = (SHARED_SOURCE, "operaton/BasicAuthentication.java")

# Expression evaluation and the Json data format reach into the JDK by reflection.
OPEN_PACKAGES = tuple(
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in ("java.lang", "java.lang.reflect", "java.time", "java.util")
)

# The JDK lost these with version 11, engines older than Spring Boot 3 still use them.
XML_BINDING = (
    "javax.xml.bind:jaxb-api:2.3.1",
    "org.glassfish.jaxb:jaxb-runtime:2.3.1",
)


@attrs.frozen
class Distribution:
    """
    One release of an engine, with everything that building and starting it takes.

    Dependencies are written `group:artifact` where Spring Boot manages the version, and
    `group:artifact:version` elsewhere. `engine_properties` follow the `property_prefix`,
    `spring_properties` do not.
    """

    name: str
    vendor: str
    version: str
    spring_boot: str
    dependencies: tuple[str, ...]
    java_sources: tuple[str, ...]
    single_jars: tuple[str, ...] = ()
    java_release: str = "17"
    base_path: str = "/engine-rest"
    property_prefix: str = "camunda.bpm"
    jvm_options: tuple[str, ...] = ()
    engine_properties: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    spring_properties: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    #: The server of its database; H2 in memory for none.
    database: Database | None = None
    #: How many processes share the database, behind a balancer that gives each request to the next.
    nodes: int = 1


# Seconds between two looks of a batch's monitor, and milliseconds of an idle job executor: the
# first and the longest wait. With a first one that is longer it would not wait at all.
QUICK_JOBS = {
    "generic-properties.properties.batchPollTime": "1",
    "job-execution.wait-time-in-millis": "1000",
    "job-execution.max-wait": "1000",
}
NO_TELEMETRY = {"generic-properties.properties.telemetryReporterActivate": "false"}


def camunda(
    version: str,
    *,
    spin: str,
    spring_boot: str,
    dependencies: tuple[str, ...] = (),
    jvm_options: tuple[str, ...] = (),
    engine_properties: Mapping[str, str] = QUICK_JOBS,
    name: str | None = None,
    database: Database | None = None,
    nodes: int = 1,
) -> Distribution:
    """
    A Camunda release that has a Spring Boot starter of the same version.
    """
    of_database = {} if database is None else database.engine_properties
    return Distribution(
        name=name or "camunda-" + ".".join(version.split(".")[:2]),
        vendor="Camunda",
        version=version,
        spring_boot=spring_boot,
        dependencies=(
            f"org.camunda.bpm.springboot:camunda-bpm-spring-boot-starter-rest:{version}",
            f"org.camunda.bpm:camunda-engine-plugin-spin:{version}",
            f"org.camunda.spin:camunda-spin-dataformat-all:{spin}",
            "org.springframework.boot:spring-boot-starter-jdbc",
            "com.h2database:h2" if database is None else database.driver,
            *dependencies,
        ),
        java_sources=CAMUNDA_SOURCES,
        # An older Spring reads only older class files.
        java_release="17" if spring_boot.startswith("3.") else "8",
        jvm_options=jvm_options,
        engine_properties={**engine_properties, **of_database},
        spring_properties={} if database is None else database.spring_properties,
        database=database,
        nodes=nodes,
    )


DISTRIBUTIONS = (
    camunda("7.24.0", spin="7.24.0", spring_boot="3.5.5"),
    Distribution(
        name="operaton-1.0",
        vendor="Operaton",
        version="1.0.3",
        spring_boot="3.5.5",
        dependencies=(
            "org.operaton.bpm.springboot:operaton-bpm-spring-boot-starter-rest:1.0.3",
            "org.operaton.bpm:operaton-engine-plugin-spin:1.0.3",
            "org.springframework.boot:spring-boot-starter-jdbc",
            "com.h2database:h2",
        ),
        # Its parent POM is not published, so Maven must not ask what it depends on.
        single_jars=("org.operaton.spin:operaton-spin-dataformat-all:1.0.0",),
        java_sources=OPERATON_SOURCES,
        property_prefix="operaton.bpm",
        engine_properties=QUICK_JOBS,
    ),
    camunda(
        "7.18.0",
        spin="1.18.0",
        spring_boot="2.7.5",
        dependencies=XML_BINDING,
        engine_properties=QUICK_JOBS | NO_TELEMETRY,
    ),
    camunda(
        "7.14.0",
        spin="1.10.0",
        spring_boot="2.3.3.RELEASE",
        dependencies=XML_BINDING,
        jvm_options=OPEN_PACKAGES,
        engine_properties=QUICK_JOBS | NO_TELEMETRY,
    ),
    camunda(
        "7.13.0",
        spin="1.9.0",
        spring_boot="2.2.5.RELEASE",
        dependencies=XML_BINDING,
        jvm_options=OPEN_PACKAGES,
    ),
    Distribution(
        name="camunda-7.6",
        vendor="Camunda",
        version="7.6.0",
        spring_boot="1.4.2.RELEASE",
        dependencies=(
            "org.camunda.bpm.extension.springboot:camunda-bpm-spring-boot-starter-rest:2.0.0",
            "org.springframework.boot:spring-boot-starter-jdbc",
            "com.h2database:h2",
            *XML_BINDING,
        ),
        java_sources=(
            *CAMUNDA_SOURCES,
            "camunda_7_6/Corrections.java",
            "camunda_7_6/Database.java",
        ),
        java_release="8",
        base_path="/rest",
        jvm_options=OPEN_PACKAGES,
        spring_properties={"spring.datasource.initialize": "false"},
    ),
    camunda("7.24.0", spin="7.24.0", spring_boot="3.5.5", name="postgresql", database=POSTGRESQL),
    camunda("7.24.0", spin="7.24.0", spring_boot="3.5.5", name="mariadb", database=MARIADB),
    camunda(
        "7.24.0",
        spin="7.24.0",
        spring_boot="3.5.5",
        name="two-nodes",
        database=POSTGRESQL,
        nodes=2,
    ),
)

CATALOG: Mapping[str, Distribution] = {
    distribution.name: distribution for distribution in DISTRIBUTIONS
}

JUDGES = ("camunda-7.24", "operaton-1.0", "postgresql")
