"""
The Maven project that names an engine's jars.
"""

from xml.etree import ElementTree

from tests.engines.catalog import Distribution


def pom_of(distribution: Distribution) -> str:
    """
    The text of the POM whose dependencies are the distribution's.
    """
    project = ElementTree.Element("project")
    _add(project, modelVersion="4.0.0", groupId="engines")
    _add(project, artifactId=distribution.name, version=distribution.version)
    management = ElementTree.SubElement(project, "dependencyManagement")
    _add_dependency(
        ElementTree.SubElement(management, "dependencies"),
        f"org.springframework.boot:spring-boot-dependencies:{distribution.spring_boot}",
        type="pom",
        scope="import",
    )
    dependencies = ElementTree.SubElement(project, "dependencies")
    for coordinates in distribution.dependencies:
        _add_dependency(dependencies, coordinates)
    ElementTree.indent(project)
    return ElementTree.tostring(project, encoding="unicode") + "\n"


def _add_dependency(parent: ElementTree.Element, coordinates: str, **details: str) -> None:
    dependency = ElementTree.SubElement(parent, "dependency")
    parts = ("groupId", "artifactId", "version")
    _add(dependency, **dict(zip(parts, coordinates.split(":"), strict=False)), **details)


def _add(parent: ElementTree.Element, **children: str) -> None:
    for tag, text in children.items():
        ElementTree.SubElement(parent, tag).text = text
