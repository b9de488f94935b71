"""YAML and what stands for it: sources, variables, Executor and Deployment configurations, and writing them back."""

from jina.yaml.deployment import deployment_yaml, load_deployment, read_deployment, save_deployment
from jina.yaml.executor import ExecutorSource, executor_yaml, load_executor, read_uses, resolve_uses, save_executor
from jina.yaml.flow import flow_yaml, load_flow, read_flow, save_flow
from jina.yaml.loading import dump_yaml, load_yaml
from jina.yaml.modules import import_all, py_modules_in
from jina.yaml.service import save_text
from jina.yaml.source import Source, find_file, is_yaml_path, read_source
from jina.yaml.substitution import BrokenReferenceError, substitute

__all__ = [
    "BrokenReferenceError",
    "ExecutorSource",
    "Source",
    "deployment_yaml",
    "dump_yaml",
    "executor_yaml",
    "find_file",
    "flow_yaml",
    "import_all",
    "is_yaml_path",
    "load_deployment",
    "load_executor",
    "load_flow",
    "load_yaml",
    "py_modules_in",
    "read_deployment",
    "read_flow",
    "read_source",
    "read_uses",
    "resolve_uses",
    "save_deployment",
    "save_executor",
    "save_flow",
    "save_text",
    "substitute",
]
