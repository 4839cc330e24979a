/* Each entry of the C interface with each bad input that a host can hand over, beside the good one
 * that resembles it: a status says what is wrong, the outputs are written, the process lives on.
 * Memory comes from the heap in exactly the length that is told, so that valgrind sees any other
 * access. Argument: a configuration. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "haproxy_vertex.h"

#define UNTOUCHED ((hv_gateway *)(void *)&failures)
#define BEYOND ((size_t)PTRDIFF_MAX + 1)

static int failures = 0, checks = 0;
static const hv_clock NOW = {1767323045, 1000};
static const char *const BACKENDS[] = {"vertex_us-central1", "vertex_fetch_idp.example"};
static const char *const NOT_UTF8 = "caf\xe9";

static void check(int holds, const char *what) {
    checks++;
    if (!holds) {
        printf("FAIL %s\n", what);
        failures++;
    }
}

/* Memory that ends where its last byte does. */
static void *room_for(size_t length) {
    void *room = malloc(length ? length : 1);
    if (room == NULL) {
        exit(2);
    }
    return memset(room, 'x', length ? length : 1);
}

static void *exactly(const void *bytes, size_t length) {
    return memcpy(room_for(length), bytes, length);
}

/* hv_open */

struct opening {
    const char *what, *config;
    const char *const *backends;
    size_t backend_count;
    int has_error;
    size_t error_size;
    enum hv_status expected;
};

static void try_open(const struct opening *ask) {
    hv_gateway *gateway = UNTOUCHED;
    size_t room = ask->error_size > 4096 ? 4096 : ask->error_size;
    char *error = ask->has_error ? room_for(room) : NULL;
    enum hv_status status = hv_open(ask->config, ask->backends, ask->backend_count, NOW, &gateway,
                                    error, ask->error_size);
    check(status == ask->expected, ask->what);
    check((gateway != NULL) == (status == HV_STATUS_OK), "the gateway is written");
    if (error != NULL && room > 0 && status != HV_STATUS_TOO_LARGE) {
        check(memchr(error, '\0', room) != NULL, "the error is a text");
        check((error[0] != '\0') == (status == HV_STATUS_CONFIG && room > 1),
              "the error says something where there is one");
    }
    if (status == HV_STATUS_OK) {
        hv_free(gateway);
    }
    free(error);
}

static void open_all(const char *config) {
    const char *const without[] = {"vertex_us-central1", NULL};
    const char *const crooked[] = {"vertex_us-central1", "caf\xe9"};
    const struct opening asks[] = {
        {"a good configuration opens", config, BACKENDS, 2, 1, 512, HV_STATUS_OK},
        {"without room for an error", config, BACKENDS, 2, 0, 0, HV_STATUS_OK},
        {"no configuration", NULL, BACKENDS, 2, 1, 512, HV_STATUS_NULL},
        {"an empty name of a file", "", BACKENDS, 2, 1, 512, HV_STATUS_CONFIG},
        {"a file that is not there", "/nowhere.json", BACKENDS, 2, 1, 512, HV_STATUS_CONFIG},
        {"and room for no more than a NUL", "/nowhere.json", BACKENDS, 2, 1, 1, HV_STATUS_CONFIG},
        {"and no room", "/nowhere.json", BACKENDS, 2, 1, 0, HV_STATUS_CONFIG},
        {"and no error to write to", "/nowhere.json", BACKENDS, 2, 0, 512, HV_STATUS_CONFIG},
        {"a file's name that is not UTF-8", NOT_UTF8, BACKENDS, 2, 1, 512, HV_STATUS_NOT_UTF8},
        {"no backends", config, NULL, 0, 1, 512, HV_STATUS_CONFIG},
        {"backends at NULL", config, NULL, 2, 1, 512, HV_STATUS_NULL},
        {"backends at a crooked place", config,
         (const char *const *)(const void *)((const char *)BACKENDS + 1), 1, 1, 512,
         HV_STATUS_NULL},
        {"a backend that is NULL", config, without, 2, 1, 512, HV_STATUS_NULL},
        {"a backend that is not UTF-8", config, crooked, 2, 1, 512, HV_STATUS_NOT_UTF8},
        {"more backends than memory", config, BACKENDS, SIZE_MAX, 1, 512, HV_STATUS_TOO_LARGE},
        {"half of that", config, BACKENDS, BEYOND / sizeof(char *), 1, 512, HV_STATUS_TOO_LARGE},
        {"a number of them that wraps around", config, BACKENDS, SIZE_MAX / sizeof(char *) + 2, 1,
         512, HV_STATUS_TOO_LARGE},
        {"more room for an error than memory", config, BACKENDS, 2, 1, SIZE_MAX,
         HV_STATUS_TOO_LARGE},
        {"half of that room", config, BACKENDS, 2, 1, BEYOND, HV_STATUS_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        try_open(&asks[i]);
    }
    char error[64] = "x";
    check(hv_open(config, BACKENDS, 2, NOW, NULL, error, sizeof error) == HV_STATUS_NULL,
          "no place for the gateway");
    check(error[0] == '\0', "and the error is written");
    hv_gateway *places[2] = {NULL, NULL};
    hv_gateway **crooked_place = (hv_gateway **)(void *)((char *)places + 1);
    check(hv_open(config, BACKENDS, 2, NOW, crooked_place, NULL, 0) == HV_STATUS_NULL,
          "a crooked place for the gateway");
}

/* hv_decide */

static enum hv_status decide(const hv_gateway *gateway, const void *request, size_t length,
                             hv_clock now) {
    char verdict[4096];
    size_t said = SIZE_MAX;
    enum hv_status status =
        hv_decide(gateway, request, length, now, verdict, sizeof verdict, &said);
    check(said != SIZE_MAX, "the length is written");
    check(status != HV_STATUS_OK || (said > 0 && said <= sizeof verdict), "the length is one");
    check(status == HV_STATUS_OK || said == 0, "and 0 where there is no verdict");
    check(said < 6 || memcmp(verdict, "allow|", 6) != 0, "nothing of this is allowed");
    return status;
}

static void decide_all(const hv_gateway *gateway) {
    static const char request[] =
        "1.1\nPOST\n/v1/projects/acme-ml/locations/us-central1/publishers/google/models/"
        "gemini-2.5-flash:generateContent\n-\nhead\nhost: x\r\n"
        "authorization: Bearer a.b.c\r\n\r\n";
    const size_t whole = sizeof request - 1;
    const uint8_t *good = (const uint8_t *)request;
    char verdict[4096];
    size_t said = SIZE_MAX;

    check(decide(gateway, good, whole, NOW) == HV_STATUS_OK, "a request is decided");
    check(decide(gateway, NULL, 0, NOW) == HV_STATUS_OK, "an empty one is refused by a verdict");
    check(decide(gateway, good, 0, NOW) == HV_STATUS_OK, "an empty one that is somewhere, too");
    check(decide(gateway, NULL, 1, NOW) == HV_STATUS_NULL, "a request at NULL");
    check(decide(gateway, good, SIZE_MAX, NOW) == HV_STATUS_TOO_LARGE, "a length of -1");
    check(decide(gateway, good, BEYOND, NOW) == HV_STATUS_TOO_LARGE, "a length beyond PTRDIFF_MAX");
    check(decide(NULL, good, whole, NOW) == HV_STATUS_NULL, "no gateway");
    check(decide((const hv_gateway *)(const void *)((const char *)gateway + 1), good, whole, NOW) ==
              HV_STATUS_NULL,
          "a crooked gateway");

    check(hv_decide(gateway, good, whole, NOW, NULL, sizeof verdict, &said) == HV_STATUS_NULL &&
              said == 0,
          "no room for the verdict");
    check(hv_decide(gateway, good, whole, NOW, verdict, sizeof verdict, NULL) == HV_STATUS_NULL,
          "no room for the length");
    size_t lengths[2] = {0, 0};
    check(hv_decide(gateway, good, whole, NOW, verdict, sizeof verdict,
                    (size_t *)(void *)((char *)lengths + 1)) == HV_STATUS_NULL,
          "a crooked place for the length");
    check(hv_decide(gateway, good, whole, NOW, verdict, BEYOND, &said) == HV_STATUS_TOO_LARGE &&
              said == 0,
          "more room for the verdict than memory");
    check(hv_decide(gateway, good, whole, NOW, verdict, 0, &said) == HV_STATUS_TOO_SMALL && said > 0,
          "room for nothing");
    char *tight = exactly(verdict, said);
    check(hv_decide(gateway, good, whole, NOW, tight, said, &said) == HV_STATUS_OK,
          "just enough room");
    check(hv_decide(gateway, good, whole, NOW, tight, said - 1, &said) == HV_STATUS_TOO_SMALL,
          "one byte less");
    free(tight);

    for (size_t length = 0; length <= whole; length++) {
        uint8_t *cut = exactly(request, length);
        check(decide(gateway, cut, length, NOW) == HV_STATUS_OK, "a request that is cut");
        if (length > 0) {
            cut[length - 1] = 0;
            check(decide(gateway, cut, length, NOW) == HV_STATUS_OK, "one with a NUL");
            cut[length - 1] = 0xff;
            check(decide(gateway, cut, length, NOW) == HV_STATUS_OK, "one that is not UTF-8");
        }
        free(cut);
    }
}

static const hv_header FRESH[] = {{"cache-control", "max-age=9223372036854775807"},
                                  {"age", "9223372036854775807"}};

/* Every clock in every entry, each after each. */
static void tell_the_time(const char *config) {
    const hv_clock clocks[] = {{INT64_MIN, INT64_MIN}, {INT64_MAX, INT64_MAX},
                               {INT64_MIN, INT64_MAX}, {INT64_MAX, INT64_MIN},
                               {0, 0}, {-1, -1}, {1767323045, 1000}};
    const size_t count = sizeof clocks / sizeof clocks[0];
    for (size_t at = 0; at < count * count; at++) {
        const hv_clock first = clocks[at / count], then = clocks[at % count];
        hv_gateway *gateway = NULL;
        const hv_request *request = NULL;
        check(hv_open(config, BACKENDS, 2, first, &gateway, NULL, 0) == HV_STATUS_OK,
              "it opens at any time");
        check(decide(gateway, (const uint8_t *)"", 0, then) == HV_STATUS_OK, "and decides");
        enum hv_status due = hv_step(gateway, then, &request);
        check(due == HV_STATUS_OK || due == HV_STATUS_NOTHING, "and steps");
        const uint64_t id = request != NULL ? request->id : 0;
        hv_request_free(request);
        check(hv_answer(gateway, id, 200, FRESH, 2, (const uint8_t *)"{}", 2, first) ==
                  HV_STATUS_OK,
              "and takes an answer");
        due = hv_step(gateway, then, &request);
        check(due == HV_STATUS_OK || due == HV_STATUS_NOTHING, "and steps again");
        hv_request_free(request);
        hv_free(gateway);
    }
}

/* hv_step, hv_request_free, hv_answer */

#define NO_REQUEST ((const hv_request *)(const void *)&failures)

static enum hv_status step(const hv_gateway *gateway, uint64_t *id) {
    const hv_request *request = NO_REQUEST;
    enum hv_status status = hv_step(gateway, NOW, &request);
    check(request != NO_REQUEST, "the request is written");
    check((request != NULL) == (status == HV_STATUS_OK), "and is NULL where there is none");
    if (request != NULL) {
        *id = request->id;
        check(request->id != 0, "it has a number");
        check(strcmp(request->method, "GET") == 0, "and a method");
        check(strncmp(request->url, "https://", 8) == 0, "and a URL");
        check((request->headers != NULL) == (request->header_count > 0), "and header fields or none");
        check((request->body != NULL) == (request->body_length > 0), "and a body or none");
        hv_request_free((const hv_request *)(const void *)((const char *)request + 1));
        hv_request_free(request);
    }
    return status;
}

/* A field in memory of its own, whose texts end where their last byte does. */
static hv_header field(const char *name, const char *value) {
    hv_header made = {NULL, NULL};
    made.name = name != NULL ? exactly(name, strlen(name) + 1) : NULL;
    made.value = value != NULL ? exactly(value, strlen(value) + 1) : NULL;
    return made;
}

struct answering {
    const char *what, *name, *value;
    enum hv_status expected;
};

/* An answer with a good field, and this one behind it. */
static void try_answer(const hv_gateway *gateway, uint64_t id, const struct answering *ask) {
    hv_header *headers = room_for(2 * sizeof *headers);
    headers[0] = field("Content-Type", "application/json");
    headers[1] = field(ask->name, ask->value);
    check(hv_answer(gateway, id, 500, headers, 2, NULL, 0, NOW) == ask->expected, ask->what);
    check(hv_answer(gateway, id, 0, headers, 2, NULL, 0, NOW) == ask->expected,
          "the same of no answer");
    for (size_t i = 0; i < 2; i++) {
        free((void *)headers[i].name);
        free((void *)headers[i].value);
    }
    free(headers);
}

static void answer_all(const hv_gateway *gateway, uint64_t id) {
    const uint8_t *body = exactly("{}", 2);
    check(hv_answer(NULL, id, 200, NULL, 0, body, 2, NOW) == HV_STATUS_NULL, "no gateway");
    check(hv_answer((const hv_gateway *)(const void *)((const char *)gateway + 1), id, 200, NULL, 0,
                    body, 2, NOW) == HV_STATUS_NULL,
          "a crooked gateway");
    check(hv_answer(gateway, id, 200, NULL, 0, NULL, 2, NOW) == HV_STATUS_NULL,
          "a body at NULL");
    check(hv_answer(gateway, id, 0, NULL, 0, NULL, 2, NOW) == HV_STATUS_NULL,
          "a body at NULL of no answer");
    check(hv_answer(gateway, id, 200, NULL, 0, body, SIZE_MAX, NOW) == HV_STATUS_TOO_LARGE,
          "a body's length of -1");
    check(hv_answer(gateway, id, 0, NULL, 0, body, BEYOND, NOW) == HV_STATUS_TOO_LARGE,
          "the length of no answer beyond PTRDIFF_MAX");

    check(hv_answer(gateway, id, 200, NULL, 1, body, 2, NOW) == HV_STATUS_NULL,
          "header fields at NULL");
    check(hv_answer(gateway, id, 200, (const hv_header *)(const void *)((const char *)FRESH + 1), 1,
                    body, 2, NOW) == HV_STATUS_NULL,
          "header fields at a crooked place");
    check(hv_answer(gateway, id, 200, FRESH, SIZE_MAX, body, 2, NOW) == HV_STATUS_TOO_LARGE,
          "more header fields than memory");
    check(hv_answer(gateway, id, 200, FRESH, BEYOND / sizeof *FRESH, body, 2, NOW) ==
              HV_STATUS_TOO_LARGE,
          "half of that");
    check(hv_answer(gateway, id, 200, FRESH, SIZE_MAX / sizeof *FRESH + 2, body, 2, NOW) ==
              HV_STATUS_TOO_LARGE,
          "a number of them that wraps around");

    const struct answering bad[] = {
        {"a field without name", NULL, "max-age=60", HV_STATUS_NULL},
        {"a field without value", "Cache-Control", NULL, HV_STATUS_NULL},
        {"a field of NULLs", NULL, NULL, HV_STATUS_NULL},
        {"a field's name that is not UTF-8", NOT_UTF8, "max-age=60", HV_STATUS_NOT_UTF8},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        try_answer(gateway, id, &bad[i]);
    }
    uint64_t other = 0;
    check(step(gateway, &other) == HV_STATUS_NOTHING, "none of those was taken");

    check(hv_answer(gateway, id + 99, 200, NULL, 0, body, 2, NOW) == HV_STATUS_OK,
          "an answer that nobody asked for is let be");
    check(hv_answer(gateway, 0, 200, FRESH, 2, body, 2, NOW) == HV_STATUS_OK,
          "one of no request, too");
    const struct answering good[] = {
        {"a field's value that is not UTF-8 is taken", "Server", NOT_UTF8, HV_STATUS_OK},
        {"and one that is read", "Cache-Control", NOT_UTF8, HV_STATUS_OK},
        {"an empty field", "", "", HV_STATUS_OK},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        try_answer(gateway, id, &good[i]);
    }
    check(hv_answer(gateway, id, 65535, FRESH, 2, body, 2, NOW) == HV_STATUS_OK,
          "an answer of any status is let be, now that one was taken");
    check(hv_answer(gateway, id, 200, NULL, 0, NULL, 0, NOW) == HV_STATUS_OK, "and one more");
    free((void *)body);
}

static void fetch_all(const char *config, const hv_gateway *gateway) {
    uint64_t id = 0;
    const hv_request *places[2] = {NO_REQUEST, NO_REQUEST};
    check(step(NULL, &id) == HV_STATUS_NULL, "no gateway");
    check(step((const hv_gateway *)(const void *)((const char *)gateway + 1), &id) == HV_STATUS_NULL,
          "a crooked gateway");
    check(hv_step(gateway, NOW, NULL) == HV_STATUS_NULL, "no place for the request");
    check(hv_step(gateway, NOW, (const hv_request **)(void *)((char *)places + 1)) ==
              HV_STATUS_NULL,
          "a crooked place for the request");
    check(places[0] == NO_REQUEST && places[1] == NO_REQUEST, "which is not written");
    check(step(gateway, &id) == HV_STATUS_OK, "a request is due, and none of those took it");
    check(step(gateway, &id) == HV_STATUS_NOTHING, "and only once");
    answer_all(gateway, id);

    /* A request outlives the answer to it, and the gateway. */
    hv_gateway *other = NULL;
    const hv_request *request = NULL;
    const uint8_t *body = exactly("{}", 2);
    check(hv_open(config, BACKENDS, 2, NOW, &other, NULL, 0) == HV_STATUS_OK, "another one opens");
    check(hv_step(other, NOW, &request) == HV_STATUS_OK, "and asks");
    check(request != NULL && hv_answer(other, request->id, 65535, FRESH, 2, body, 2, NOW) ==
                                 HV_STATUS_OK,
          "an answer of any status is taken");
    hv_free(other);
    check(request != NULL && strncmp(request->url, "https://idp.example/", 20) == 0,
          "the request is still there");
    hv_request_free(request);
    hv_request_free(NULL);
    free((void *)body);
}

int main(int argc, char **argv) {
    hv_gateway *gateway = NULL;
    if (argc != 2) {
        return 2;
    }
    check(hv_version() != NULL && strchr(hv_version(), '.') != NULL, "the version has parts");
    open_all(argv[1]);
    tell_the_time(argv[1]);
    check(hv_open(argv[1], BACKENDS, 2, NOW, &gateway, NULL, 0) == HV_STATUS_OK, "it opens");
    if (gateway != NULL) {
        decide_all(gateway);
        fetch_all(argv[1], gateway);
    }
    hv_free((hv_gateway *)(void *)((char *)gateway + 1));
    hv_free(gateway);
    hv_free(NULL);
    printf("%d checks, %d failed\n", checks, failures);
    return failures != 0;
}
