/* The C interface as a host would use it: load, decide, fetch, free. Argument: a configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "haproxy_vertex.h"

static int failures = 0;

static void check(int holds, const char *what) {
    printf("%s %s\n", holds ? "ok  " : "FAIL", what);
    failures += !holds;
}

int main(int argc, char **argv) {
    const char *backends[] = {"vertex_us-central1", "vertex_fetch_idp.example"};
    const hv_clock now = {1767323045, 1000};
    const char *anonymous =
        "1.1\nPOST\n/v1/projects/acme-ml/locations/us-central1/publishers/google/models/"
        "gemini-2.5-flash:generateContent\n-\nhead\nhost: x\r\n\r\n";
    const hv_header headers[] = {{"Content-Type", "application/json"}, {"Cache-Control", "max-age=60"}};
    const char *document =
        "{\"issuer\":\"https://idp.example/corp\",\"jwks_uri\":\"https://idp.example/corp/jwks\"}";
    char error[512], verdict[4096];
    hv_gateway *gateway = NULL;
    const hv_request *request = NULL;
    size_t length = 0;
    uint64_t id = 0;

    if (argc != 2) {
        return 2;
    }
    check(strchr(hv_version(), '.') != NULL, "the version has parts");
    check(hv_open(NULL, NULL, 0, now, &gateway, NULL, 0) == HV_STATUS_NULL, "no file is refused");
    check(hv_open("/nowhere.json", NULL, 0, now, &gateway, error, sizeof error) == HV_STATUS_CONFIG,
          "a file that is not there is refused");
    check(strstr(error, "/nowhere.json") != NULL, "and the error names it");
    check(hv_open(argv[1], backends, 1, now, &gateway, error, sizeof error) == HV_STATUS_CONFIG,
          "a missing backend is refused");
    check(strstr(error, "vertex_fetch_idp.example") != NULL, "and the error names it");
    check(hv_open(argv[1], backends, 2, now, &gateway, error, sizeof error) == HV_STATUS_OK,
          "a good configuration opens");
    if (gateway == NULL) {
        printf("%s\n", error);
        return 1;
    }
    check(hv_decide(gateway, (const uint8_t *)anonymous, strlen(anonymous), now, verdict,
                    sizeof verdict, &length) == HV_STATUS_OK,
          "a request is decided");
    check(length > 40 && memcmp(verdict, "deny|401|token_missing|", 23) == 0,
          "without token it is denied");
    check(hv_decide(gateway, (const uint8_t *)anonymous, strlen(anonymous), now, verdict, 10,
                    &length) == HV_STATUS_TOO_SMALL && length > 40,
          "a small buffer is refused, and the length told");
    check(hv_decide(NULL, NULL, 0, now, verdict, sizeof verdict, &length) == HV_STATUS_NULL,
          "no gateway is refused");
    check(hv_step(gateway, now, NULL) == HV_STATUS_NULL, "no place for the request is refused");
    check(hv_step(gateway, now, &request) == HV_STATUS_OK && request != NULL,
          "a request is due at once");
    if (request == NULL) {
        return 1;
    }
    id = request->id;
    check(strcmp(request->method, "GET") == 0 &&
              strcmp(request->url, "https://idp.example/corp/.well-known/openid-configuration") == 0,
          "for the discovery document");
    check(request->headers == NULL && request->header_count == 0 && request->body == NULL &&
              request->body_length == 0,
          "without header fields and body");
    hv_request_free(request);
    check(hv_step(gateway, now, &request) == HV_STATUS_NOTHING && request == NULL, "and only once");
    check(hv_answer(gateway, id, 200, headers, 2, (const uint8_t *)document, strlen(document), now) ==
              HV_STATUS_OK,
          "an answer is taken");
    check(hv_step(gateway, now, &request) == HV_STATUS_OK && request != NULL &&
              strcmp(request->url, "https://idp.example/corp/jwks") == 0,
          "and leads to the next request");
    check(hv_answer(gateway, request != NULL ? request->id : 0, 0, NULL, 0, NULL, 0, now) ==
              HV_STATUS_OK,
          "a failure is taken");
    hv_request_free(request);
    hv_request_free(NULL);
    check(hv_answer(NULL, id, 200, NULL, 0, NULL, 0, now) == HV_STATUS_NULL,
          "no gateway is refused");
    hv_free(gateway);
    hv_free(NULL);
    printf("%d failed\n", failures);
    return failures != 0;
}
