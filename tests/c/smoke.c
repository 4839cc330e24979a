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
    char error[512], verdict[4096], url[HV_URL_SIZE];
    hv_gateway *gateway = NULL;
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
    check(hv_step(gateway, now, &id, url, 8) == HV_STATUS_TOO_SMALL, "a short URL buffer is refused");
    check(hv_step(gateway, now, &id, url, sizeof url) == HV_STATUS_OK, "a fetch is due at once");
    check(strcmp(url, "https://idp.example/corp/.well-known/openid-configuration") == 0,
          "of the discovery document");
    check(hv_step(gateway, now, &id, url, sizeof url) == HV_STATUS_NOTHING, "and only once");
    check(hv_answer(gateway, id, 0, NULL, NULL, NULL, 0, now) == HV_STATUS_OK,
          "a failure is taken");
    check(hv_answer(NULL, id, 200, NULL, NULL, NULL, 0, now) == HV_STATUS_NULL,
          "no gateway is refused");
    hv_free(gateway);
    hv_free(NULL);
    printf("%d failed\n", failures);
    return failures != 0;
}
