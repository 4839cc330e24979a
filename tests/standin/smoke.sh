#!/usr/bin/env bash
# Tries a built stand-in from outside, with curl and openssl: smoke.sh PATH-OF-THE-BINARY
set -euo pipefail
binary=${1:?path of the standin binary}
dir=$(mktemp -d)
"$binary" --dir "$dir" --lifetime-secs 300 >"$dir/out" &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; rm -rf "$dir"' EXIT
for _ in $(seq 100); do [ -s "$dir/ports.json" ] && grep -q ready "$dir/out" && break; sleep 0.1; done

checks=0
ok() { checks=$((checks + 1)); }
fail() { echo "FAILED: $*" >&2; exit 1; }
# want NAME TEXT PATTERN: the text matches the extended regular expression (newlines are blanks).
want() { tr '\r\n' '  ' <<<"$2" | grep -Eq -- "$3" && ok || fail "$1: $2"; }
json() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for k in sys.argv[1:]: v=v[int(k)] if isinstance(v,list) else v[k]
print(v if isinstance(v,str) else json.dumps(v))' "$@"; }
port() { json "$1" <"$dir/ports.json"; }
b64() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
ctl() { curl -sS --max-time 20 -X "$1" "http://127.0.0.1:$(port control)$2" ${3:+-d "$3"}; }
google=http://127.0.0.1:$(port google_http)
path=/v1/projects/p/locations/us-central1/publishers/google/models/gemini-x
body='{"contents":[{"role":"user","parts":[{"text":"ping"}]}]}'

# A token as the gateway signs it.
json private_key <"$dir/service-account.json" >"$dir/sa.pem"
email=$(json client_email <"$dir/service-account.json")
now=$(date +%s)
sign() {
  local head claims
  head=$(printf '{"alg":"RS256","typ":"JWT","kid":"%s"}' "$(json private_key_id <"$dir/service-account.json")" | b64)
  claims=$(printf '{"iss":"%s","sub":"%s","iat":%d,"exp":%d,%s}' "$email" "$email" "$now" $((now + 3600)) "$1" | b64)
  printf '%s.%s.%s' "$head" "$claims" "$(printf '%s.%s' "$head" "$claims" | openssl dgst -sha256 -sign "$dir/sa.pem" -binary | b64)"
}
jwt=$(sign '"scope":"https://www.googleapis.com/auth/cloud-platform"')
aud=$(sign '"aud":"https://aiplatform.googleapis.com/"')
# call VERB[?QUERY] [CURL ARGUMENTS]
call() { local verb=$1; shift; curl -sS --max-time 20 -H "Authorization: Bearer $jwt" -d "$body" "$@" "$google$path:$verb"; }

want health "$(ctl GET /healthz)" '"ok":true'

# Identity provider, https and http
idp() { curl -sS --max-time 5 --http1.1 --cacert "$dir/ca.pem" --connect-to "idp.example:443:127.0.0.1:$(port idp_https)" -i "https://idp.example$1"; }
want discovery "$(idp /corp/.well-known/openid-configuration)" '"jwks_uri":"https://idp.example/corp/jwks"'
want jwks "$(idp /partner/jwks)" 'max-age=300.*"alg":"RS256".*"alg":"ES256".*"alg":"EdDSA"'
want 'idp http' "$(curl -sS "http://127.0.0.1:$(port idp_http)/corp/jwks")" '"kty":"RSA"'
want 'idp 404' "$(idp /nobody/jwks)" '404 Not Found'
old=$(ctl POST /tokens '{"issuer":"corp"}' | json header kid)
kid=$(ctl POST /keys/rotate '{"issuer":"corp","alg":"RS256","keep_old":false}' | json kid)
jwks=$(idp /corp/jwks)
want rotated "$jwks" "$kid"
[[ $jwks != *"$old"* ]] && ok || fail "old key still there"
want 'token kid' "$(ctl POST /tokens '{}' | json header kid)" "$kid"
want 'issuer behaviour' "$(ctl POST /idp/behaviour '{"mode":"status","status":500,"issuer":"corp"}'; idp /corp/jwks; idp /partner/jwks)" ' 500 .* 200 '
for mode in hang drip endless; do
  ctl POST /idp/behaviour "{\"mode\":\"$mode\"}" >/dev/null
  curl -s -o /dev/null --max-time 1.5 "http://127.0.0.1:$(port idp_http)/corp/jwks" && fail "$mode" || [ $? = 28 ] && ok || fail "$mode"
done
ctl POST /idp/behaviour '{"mode":"refuse"}' >/dev/null
curl -s "http://127.0.0.1:$(port idp_http)/corp/jwks" && fail refuse || ok
for pair in 'not_json <html>' 'http_jwks_uri http://idp.example/corp/jwks' 'foreign_jwks_uri evil.example' 'wrong_issuer other.example/corp' 'redirect 302.Found.*Location:'; do
  ctl POST /idp/behaviour "{\"mode\":\"${pair%% *}\"}" >/dev/null
  want "$pair" "$(idp /corp/.well-known/openid-configuration)" "${pair#* }"
done
ctl POST /idp/behaviour '{"mode":"redirect"}' >/dev/null
want followed "$(curl -sSL "http://127.0.0.1:$(port idp_http)/corp/jwks")" '"kty":"RSA"'
ctl POST /idp/behaviour '{}' >/dev/null

# Google: answers
want unary "$(call generateContent -i)" '200 OK .*charset=UTF-8.*chunked.*Echo from gemini-x: ping.*"totalTokenCount"'
want count "$(call countTokens)" '"totalTokens": 1'
want int "$(call 'generateContent?%24alt=json%3Benum-encoding%3Dint')" '"finishReason": 1.*"trafficType": 1'
https() { curl -sS --cacert "$dir/ca.pem" --connect-to "$1:443:127.0.0.1:$(port google_https)" -H "Authorization: Bearer $2" -d "$body" "https://$1$path:generateContent"; }
want 'https, aud' "$(https aiplatform.googleapis.com "$aud")" 'Echo from'
want 'https, scope' "$(https aiplatform.us.rep.googleapis.com "$jwt")" 'Echo from'
want 'wrong aud' "$(https us-central1-aiplatform.googleapis.com "$aud")" 'ACCESS_TOKEN_TYPE_UNSUPPORTED'
want 'no bearer' "$(curl -sS -i -d '{}' "$google$path:generateContent")" '401 Unauthorized.*UNAUTHENTICATED'
want '404' "$(curl -sS -H "Authorization: Bearer $jwt" "$google/v1/x")" '"NOT_FOUND"'
ctl POST /google/access-tokens '{"token":"opaque-1"}' >/dev/null
want 'access token' "$(curl -sS -H 'Authorization: Bearer opaque-1' -d "$body" "$google$path:generateContent")" 'Echo from'
want deregister "$(ctl DELETE /google/access-tokens '{"token":"opaque-1"}')" 'true'
want 'now refused' "$(curl -sS -H 'Authorization: Bearer opaque-1' -d "$body" "$google$path:generateContent")" 'UNAUTHENTICATED'
for pair in '400 INVALID_ARGUMENT' '401 UNAUTHENTICATED' '403 PERMISSION_DENIED' '404 NOT_FOUND' '429 RESOURCE_EXHAUSTED' '500 INTERNAL' '503 UNAVAILABLE'; do
  ctl POST /google/behaviour "{\"status\":${pair% *}}" >/dev/null
  want "$pair" "$(call generateContent)" "${pair#* }"
done
want 'array error' "$(call streamGenerateContent)" '^\[\{.*UNAVAILABLE.*\] *$'

# Google: streams
ctl POST /google/behaviour '{"chunks":3,"interval_ms":30}' >/dev/null
call 'streamGenerateContent?alt=sse' >"$dir/sse"
[ "$(grep -c '^data: {.*}'$'\r''$' "$dir/sse")" = 3 ] && [ "$(grep -c totalTokenCount "$dir/sse")" = 1 ] && ok || fail sse
call streamGenerateContent | python3 -c 'import json,sys; v=json.load(sys.stdin); assert len(v)==3 and [set(x["usageMetadata"])=={"trafficType"} for x in v]==[True,True,False], v' && ok
ctl POST /google/behaviour '{"mid_stream_error":true}' >/dev/null
want 'mid-stream error' "$(call 'streamGenerateContent?alt=sse')" '^data: .*\{ +"error": \{'
ctl POST /google/behaviour '{"hangup_after_chunks":2,"interval_ms":1}' >/dev/null
call 'streamGenerateContent?alt=sse' -o "$dir/cut" 2>/dev/null && fail 'hang-up looks complete' || [ "$(grep -c ^data: "$dir/cut")" = 2 ] && ok || fail hangup
ctl POST /google/behaviour '{"gate":true,"chunks":3}' >/dev/null
call 'streamGenerateContent?alt=sse' -N -o "$dir/gated" & gated=$!
lines() { for _ in $(seq 50); do [ "$(grep -c ^data: "$dir/gated" 2>/dev/null)" = "$1" ] && break; sleep 0.05; done; sleep 0.1; [ "$(grep -c ^data: "$dir/gated")" = "$1" ] && ok || fail "gate $1"; }
lines 1
want release "$(ctl POST /google/release '{}')" '"streams":1'
lines 2
ctl POST /google/release '{"all":true}' >/dev/null
wait "$gated" && lines 3
# A client that leaves is noticed.
call 'streamGenerateContent?alt=sse' -N --max-time 0.5 -o /dev/null 2>/dev/null || sleep 0.2
want 'client gone' "$(ctl GET '/requests?of=google' | json requests -1 client_gone)" true
ctl POST /google/behaviour '{}' >/dev/null

# Google's identity services
meta=http://127.0.0.1:$(port metadata_http)
account=$meta/computeMetadata/v1/instance/service-accounts/default
want 'metadata ping' "$(curl -sS -i "$meta/")" '200 OK.*Metadata-Flavor: Google'
want 'metadata refuses' "$(curl -sS -i "$account/token")" '403 Forbidden'
token=$(curl -sS -H 'Metadata-Flavor: Google' "$account/token" | json access_token)
want 'metadata token' "$(curl -sS -H "Authorization: Bearer $token" -d "$body" "$google$path:generateContent")" 'Echo from'
secure() { local host=$1 where=$2; shift 2; curl -sS --max-time 5 --cacert "$dir/ca.pem" --connect-to "$host.googleapis.com:443:127.0.0.1:$(port "${host}_https")" "$@" "https://$host.googleapis.com$where"; }
act=/v1/projects/-/serviceAccounts/t@p.iam.gserviceaccount.com:generateAccessToken
order='{"scope":["https://www.googleapis.com/auth/cloud-platform"],"lifetime":"600s"}'
act() { secure iamcredentials "$act" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d "$order"; }
want 'act as' "$(act)" '"accessToken":"ya29\..*"expireTime":"20[0-9T:-]*Z"'
ctl POST /iamcredentials/policy '{"denied":["t@p.iam.gserviceaccount.com"]}' >/dev/null
want 'act as denied' "$(act)" 'IAM_PERMISSION_DENIED'
want 'oauth2' "$(secure oauth2 /token -d grant_type=x)" '"error":"unsupported_grant_type"'
want 'sts' "$(secure sts /v1/token -d grant_type=x)" '"error":"unsupported_grant_type"'
want 'no length' "$(secure sts /v1/token -i -H 'Transfer-Encoding: chunked' -d grant_type=x)" '411 Length Required'
want 'revoked' "$(ctl DELETE /identity/tokens)" '"revoked":[1-9]'
want 'revoked token' "$(curl -sS -H "Authorization: Bearer $token" -d "$body" "$google$path:generateContent")" 'UNAUTHENTICATED'
want 'verified' "$(ctl GET '/requests?of=iamcredentials' | json requests -1 verified)" '"valid": false'

# Recorder
want last "$(call generateContent -H 'X-B: 2' -H 'x-a: 1' >/dev/null; ctl GET /requests | json requests -1)" \
  "\"$(printf %s "$body" | sha256sum | cut -c1-64)\".*\"Authorization\", \"Bearer .*\"X-B\", \"2\".*\"x-a\", \"1\""
want counters "$(ctl GET /counters)" '"google_invalid_bearers":[1-9].*"idp_jwks":[1-9]'
next=$(ctl GET /requests | json next)
want since "$(ctl GET "/requests?since=$next")" '"requests":\[\]'

# Outages
for what in google idp; do
  ctl POST /down "{\"what\":\"$what\",\"down\":true}" >/dev/null
  curl -s --max-time 2 "http://127.0.0.1:$(port ${what}_http)/" && fail "$what is up" || [ $? = 7 ] && ok || fail "$what not refused"
  ctl POST /down "{\"what\":\"$what\",\"down\":false}" >/dev/null
  [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$(port ${what}_http)/")" != 000 ] && ok || fail "$what stays down"
done

kill "$pid"; wait "$pid" && ok || fail 'exit status'
[ ! -e "$dir/ports.json" ] && ok
echo "smoke: $checks checks passed"
