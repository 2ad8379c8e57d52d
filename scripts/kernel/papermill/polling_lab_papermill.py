"""Lets papermill pass parameters to TypeScript and JavaScript: `papermill -p name value`.

Set-up puts this module into the Python environment in which it registers the kernels. papermill has no entry point for
translators; it has one for engines, and loads all of them when it starts. So this module names papermill's own engine
once more, and registers the translators on the way.
"""

import json
import math

from papermill.engines import NBClientEngine
from papermill.translators import Translator, papermill_translators


class JavaScriptTranslator(Translator):
    """Writes the cell that papermill puts after the one tagged `parameters`. A cell may declare a name again."""

    @classmethod
    def translate_none(cls, val):
        return "null"

    @classmethod
    def translate_escaped_str(cls, str_val):
        return json.dumps(str(str_val))

    @classmethod
    def translate_float(cls, val):
        if math.isnan(val):
            return "NaN"
        if math.isinf(val):
            return "Infinity" if val > 0 else "-Infinity"
        return repr(val)

    @classmethod
    def translate_list(cls, val):
        return f"[{', '.join(cls.translate(item) for item in val)}]"

    @classmethod
    def translate_dict(cls, val):
        members = (f"{cls.translate_str(str(name))}: {cls.translate(item)}" for name, item in val.items())
        return f"{{ {', '.join(members)} }}"

    @classmethod
    def comment(cls, cmt_str):
        return f"// {cmt_str}".strip()

    @classmethod
    def assign(cls, name, str_val):
        return f"let {name} = {str_val};"


class TypeScriptTranslator(JavaScriptTranslator):
    @classmethod
    def assign(cls, name, str_val):
        # The type that the notebook gave it is not known here; of `any` all cells can make what they expect.
        return f"let {name}: any = {str_val};"


papermill_translators.register("typescript", TypeScriptTranslator)
papermill_translators.register("javascript", JavaScriptTranslator)


class Engine(NBClientEngine):
    """papermill's own, under the name `tslab`."""
