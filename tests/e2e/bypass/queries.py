"""Google's system parameters: who is asking, what is answered and in which shape."""

from support.wire.calls import GENERATE, STREAM

from bypass.pair import Kind, Pair, Request, target_has


def kind(name: str) -> Kind:
    return Kind(name, checks=("QueryList",), rules=("uri",))


HTTP_METHOD = kind("$httpMethod")
KEY = kind("key")
ACCESS_TOKEN = kind("access_token")
FIELDS = kind("fields")
ALT = kind("alt")
CALLBACK = kind("callback")
CT = kind("$ct")
SYSTEM = kind("other system parameters")

KINDS = [HTTP_METHOD, KEY, ACCESS_TOKEN, FIELDS, ALT, CALLBACK, CT, SYSTEM]


def query(kind: Kind, name: str, text: str, twin: str = "alt=json", of: str = GENERATE) -> None:
    attack, honest = Request(target=f"{of}?{text}"), Request(target=f"{of}?{twin}")
    kind.pairs.append(
        Pair(kind.name, name, attack, honest, "query_not_allowed", target_has(f"?{text}"))
    )


UNARY_STREAM = STREAM.partition("?")[0]

query(HTTP_METHOD, "to delete", "$httpMethod=DELETE")
query(HTTP_METHOD, "encoded", "%24httpMethod=PATCH")
query(HTTP_METHOD, "behind another", "alt=json&$httpMethod=GET")
query(HTTP_METHOD, "without $", "httpMethod=DELETE")

query(KEY, "an API key", "key=AIzaSyA")
query(KEY, "with $", "$key=AIzaSyA")
query(KEY, "encoded", "%6bey=AIzaSyA")
query(KEY, "in capitals", "KEY=AIzaSyA")
query(KEY, "behind another", "alt=sse&key=AIzaSyA", "alt=sse", UNARY_STREAM)
query(KEY, "without a value", "key")

query(ACCESS_TOKEN, "Google's", "access_token=ya29.x")
query(ACCESS_TOKEN, "with $", "$access_token=ya29.x")
query(ACCESS_TOKEN, "encoded", "access%5Ftoken=ya29.x")
query(ACCESS_TOKEN, "an older name", "oauth_token=ya29.x")
query(ACCESS_TOKEN, "another older name", "bearer_token=ya29.x")
query(ACCESS_TOKEN, "of the subject", "$subject=admin")

query(FIELDS, "all but usage", "fields=candidates")
query(FIELDS, "with $", "$fields=candidates")
query(FIELDS, "encoded", "%66ields=candidates%2FfinishReason")
query(FIELDS, "of a stream", "alt=sse&fields=candidates", "alt=sse", UNARY_STREAM)
query(FIELDS, "twice", "fields=candidates&fields=usageMetadata")

query(ALT, "media", "alt=media")
query(ALT, "protobuf", "alt=proto")
query(ALT, "events of what is no stream", "alt=sse")
query(ALT, "twice", "alt=json&alt=proto")
query(ALT, "twice, in two spellings", "alt=json&$alt=proto")
query(ALT, "in capitals", "alt=PROTO")
query(
    ALT,
    "an encoding that is not known",
    "$alt=json;enum-encoding=string",
    "$alt=json;enum-encoding=int",
)
query(ALT, "another parameter inside", "alt=json%26key=AIza")
query(
    ALT, "with a shape of errors", "$alt=json;error-encoding=x", "%24alt=json%3Benum-encoding%3Dint"
)

query(CALLBACK, "a function", "callback=steal")
query(CALLBACK, "with $", "$callback=steal")
query(CALLBACK, "behind another", "alt=json&callback=steal")
query(CALLBACK, "an older name", "jsonp=steal")

query(CT, "protobuf", "$ct=application/x-protobuf")
query(CT, "encoded", "%24ct=application/x-protobuf")
query(CT, "without $", "ct=text/html")
query(CT, "of requests", "$req=application/x-protobuf")

query(SYSTEM, "another's quota", "quotaUser=victim")
query(SYSTEM, "another's project", "$userProject=victim")
query(SYSTEM, "blanks between", "prettyPrint=true")
query(SYSTEM, "an upload", "uploadType=media")
query(SYSTEM, "an upload's protocol", "upload_protocol=resumable")
query(SYSTEM, "the shape of errors", "$.xgafv=2")
query(SYSTEM, "the caller's address", "userIp=192.0.2.1")
query(SYSTEM, "behind two question marks", "?alt=json")
query(SYSTEM, "a parameter without a name", "=AIza")
