"""Tools that Google runs and addresses that it reads, for callers whose role does not list them."""

from bypass.bodies import CHAT
from bypass.models import CLAUDE, GOOD
from bypass.pair import Kind
from bypass.terms import IMAGEN, term

TOOLS = Kind("tools", checks=("tools",))
FILES = Kind("file addresses", checks=("file_uris",))

KINDS = [TOOLS, FILES]


def tool(*tools: object, name: str = "tools") -> dict[str, object]:
    return {name: list(tools)}


SEARCH = tool({"googleSearch": {}})
OWN = tool({"functionDeclarations": [{"name": "googleSearch", "parameters": {"url": "x"}}]})
term(TOOLS, "search, for who may use none", SEARCH, OWN, group="ml")
term(TOOLS, "another one than listed", tool({"urlContext": {}}), SEARCH)
term(TOOLS, "in the other spelling", tool({"url_context": {}}), tool({"google_search": {}}))
term(TOOLS, "beside functions", tool({"functionDeclarations": [], "codeExecution": {}}), OWN)
term(TOOLS, "behind a listed one", tool({"googleSearch": {}}, {"enterpriseWebSearch": {}}), SEARCH)
term(TOOLS, "in capitals", tool({"CODEEXECUTION": {}}), SEARCH)
term(TOOLS, "escaped", b'{"t\\u006fols":[{"\\u0063odeExecution":{}}]}', SEARCH)
term(TOOLS, "of no list", {"tools": {"codeExecution": {}}}, {"tools": {"googleSearch": {}}})
term(
    TOOLS,
    "Claude's",
    tool({"type": "code_execution_20250825", "name": "f"}),
    tool({"type": "web_search_20250305", "name": "f"}),
    CLAUDE,
)
FUNCTION = {"type": "function", "function": {"name": "f"}}
for name, beside in {
    "a list of search": {"googleSearch": [{}]},
    "a list of lists of it": {"googleSearch": [[{}]]},
    "search": {"googleSearch": {}},
}.items():
    chat = {"model": f"google/{GOOD}"}
    term(
        TOOLS,
        f"{name}, beside a type",
        {**chat, **tool({**FUNCTION, **beside})},
        {**chat, **tool({**FUNCTION, "strict": True})},
        CHAT,
        group="ml",
    )
term(
    TOOLS,
    "in the shape of a setting, beside no type",
    tool({"Type": "web_search_20250305", "googleSearch": True}),
    tool({"type": "web_search_20250305", "allowed_domains": ["a.example"]}),
    CLAUDE,
)
term(
    TOOLS,
    "Claude's servers",
    {"mcp_servers": [{"type": "url", "url": "https://evil.example"}]},
    tool({"name": "f", "input_schema": {}}),
    CLAUDE,
)
term(
    TOOLS,
    "of OpenAI's shape",
    {"model": f"google/{GOOD}", "web_search_options": {}},
    {"model": f"google/{GOOD}"},
    CHAT,
)
term(
    TOOLS,
    "Claude's server tool named like one of the caller's",
    tool({"type": "bash_code_execution_20250825", "name": "bash"}),
    tool({"type": "bash_20250124", "name": "bash"}),
    CLAUDE,
    group="ml",
)
term(
    TOOLS,
    "beside one of the caller's",
    tool({"type": "memory_20250818", "name": "memory", "googleSearch": {}}),
    tool({"type": "memory_20250818", "name": "memory"}),
    CLAUDE,
    group="ml",
)
term(
    TOOLS,
    "code for rewards",
    {"rewardConfig": {"codeExecutionRewardScorer": {"pythonCodeSnippet": "import os"}}},
)
term(TOOLS, "a job's account", {"serviceAccount": "admin@acme.iam.gserviceaccount.com"})


def file(uri: str, name: str = "fileUri") -> dict[str, object]:
    part = {"fileData": {name: uri, "mimeType": "text/plain"}}
    return {"contents": [{"role": "user", "parts": [part]}]}


INSIDE = file("gs://acme-docs/in/a.txt")
term(FILES, "for who may name none", INSIDE, file("data:text/plain,a"), group="ml")
term(FILES, "another bucket", file("gs://acme-hr/salaries.csv"), INSIDE)
term(FILES, "the web", file("https://evil.example/a"), INSIDE)
term(FILES, "another folder", file("gs://acme-docs/inside/a.txt"), INSIDE)
term(FILES, "a way out", file("gs://acme-docs/in/../hr/a.txt"), INSIDE)
term(FILES, "a way out, encoded", file("gs://acme-docs/in/%2e%2e/hr/a.txt"), INSIDE)
term(
    FILES,
    "in the other spelling",
    file("gs://acme-hr/a", "file_uri"),
    file("gs://acme-docs/in/a", "file_uri"),
)
term(
    FILES,
    "in a system instruction",
    {"systemInstruction": file("gs://acme-hr/a")},
    {"systemInstruction": INSIDE},
)
term(
    FILES,
    "in a function's answer",
    {
        "contents": [
            {
                "parts": [
                    {
                        "functionResponse": {
                            "name": "f",
                            "parts": [{"fileData": {"fileUri": "gs://acme-hr/a"}}],
                        }
                    }
                ]
            }
        ]
    },
    {
        "contents": [
            {
                "parts": [
                    {"functionResponse": {"name": "f", "response": {"fileUri": "gs://acme-hr/a"}}}
                ]
            }
        ]
    },
)
term(
    FILES,
    "Claude's",
    {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "url", "url": "https://evil.example/a"}}
                ],
            }
        ]
    },
    {"messages": []},
    CLAUDE,
)
term(
    FILES,
    "of OpenAI's shape",
    {
        "model": f"google/{GOOD}",
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "gs://acme-hr/a"}}],
            }
        ],
    },
    {"model": f"google/{GOOD}"},
    CHAT,
)
term(
    FILES,
    "among settings of a prediction",
    {"instances": [{"image": {"gcsUri": "gs://acme-hr/a"}}]},
    {"instances": [{"image": {"gcsUri": "gs://acme-docs/in/a"}}]},
    IMAGEN,
)
term(
    FILES,
    "under a name that nobody knows",
    {"instances": [{"picture": "gs://acme-hr/a"}]},
    {"instances": [{"picture": "gs://acme-docs/in/a"}]},
    IMAGEN,
)
term(
    FILES,
    "among a tool's settings",
    tool({"googleSearch": {"index": {"uri": "gs://acme-hr/a"}}}),
    tool({"googleSearch": {"index": {"uri": "gs://acme-docs/in/a"}}}),
)


def document(source: dict[str, object]) -> dict[str, object]:
    part = {"type": "document", "source": source}
    return {"messages": [{"role": "user", "content": [part]}]}


WEB = "https://evil.example/a"
PROSE = document({"type": "text", "media_type": "text/plain", "data": WEB})
for name, source in {
    "a document that is no text": {"type": "base64", "data": WEB},
    "a document of no type": {"data": WEB},
    "a document with two types": {"Type": "text", "data": WEB},
    "a document of text with an address beside": {"type": "text", "data": "a", "url": WEB},
}.items():
    term(FILES, name, document(source), PROSE, CLAUDE, group="ml")


def api(endpoint: str) -> dict[str, object]:
    return tool({"retrieval": {"externalApi": {"endpoint": endpoint}}})


OWN_API = api("search.acme.example/find")
term(FILES, "where a tool is called", api("https://evil.example/"), OWN_API)
term(FILES, "where a tool is called, without a scheme", api("evil.example"), OWN_API)
term(FILES, "where a tool is called, with a blank", api("https://evil.example/a b"), OWN_API)
term(FILES, "a host behind a user", api("search.acme.example@evil.example/"), OWN_API)
