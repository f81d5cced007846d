/* What of training and judging is for several: shares of a selection, and controls beside a probe. */
#include <stdlib.h>

#include "check.h"

static int32_t told(const char *json, void *context) {
    if (json) ++*(int *)context;
    return 0;
}

static void test_rounds(const char *folder, ap_data *train) {
    const char *options = "{\"kind\": [\"mean\", \"last\"], \"l2\": [0.1, 1], \"folds\": 3, \"fpr\": 0.2}";
    char journal[4096], path[4096], *result = NULL;
    snprintf(journal, sizeof journal, "%s/shared", folder);
    /* Four candidates on two paths of penalties, three folds. */
    OK(ap_select_share(train, options, journal, 0, 0, NULL, NULL, &result));
    CHECK(strstr(result, "\"jobs\" : 6") && strstr(result, "\"trainings\" : 12") && strstr(result, "200 sequences"));
    OK(ap_text_free(result));
    int trained = 0, rounds = 0;
    for (int open = 1; open && rounds < 10; rounds++) {
        OK(ap_select_share(train, options, journal, 0, 2, told, &trained, NULL));
        OK(ap_select_share(train, options, journal, 0, 1, told, &trained, &result));
        open = strstr(result, "\"jobs\" : 0") == NULL;
        OK(ap_text_free(result));
    }
    CHECK(trained > 12 && rounds > 1);

    ap_probe *probe = NULL;
    int again = 0;
    OK(ap_select(train, options, journal, told, &again, &probe, NULL));
    CHECK(again == 0);
    size_t size, own = 0;
    snprintf(path, sizeof path, "%s/selected.safetensors", folder);
    char *file = read_file(path, &size);
    OK(ap_probe_bytes(probe, NULL, 0, &own));
    char *bytes = malloc(own);
    OK(ap_probe_bytes(probe, bytes, own, &own));
    /* The parameters; before them stands how long trainings took. */
    CHECK(own > 385 * 4 && memcmp(bytes + own - 385 * 4, file + size - 385 * 4, 385 * 4) == 0);
    free(bytes), free(file);
    OK(ap_probe_free(probe));

    FAILS(ap_select_share(train, options, NULL, 0, 1, NULL, NULL, NULL), AP_USAGE, "journal: expected a text");
    FAILS(ap_select_share(train, options, journal, 2, 2, NULL, NULL, NULL), AP_USAGE, "share: expected 0 to 1, found 2");
    FAILS(ap_select_share(train, options, journal, 0, -1, NULL, NULL, NULL), AP_USAGE, "shares: expected 0 or more");
    FAILS(ap_select_share(train, "{\"folds\": 1}", journal, 0, 1, NULL, NULL, NULL), AP_USAGE, "--folds: expected");
}

static void test_controls(const char *folder, ap_data *train, ap_data *test) {
    char path[4096], *result = NULL;
    ap_probe *probe = NULL;
    snprintf(path, sizeof path, "%s/mean.safetensors", folder);
    OK(ap_probe_load(path, &probe));
    OK(ap_evaluate_controls(probe, test, train, "{\"bootstrap\": 20, \"confound\": \"^(.)\"}", NULL, NULL, &result));
    CHECK(strstr(result, "\"controls\" : {") && strstr(result, "\"above_best\" : [") && strstr(result, "\"name\" : \"length\""));
    CHECK(strstr(result, "\"name\" : \"confound\"") != NULL);
    OK(ap_text_free(result));
    FAILS(ap_evaluate_controls(probe, test, NULL, NULL, NULL, NULL, &result), AP_USAGE, "expected data, found NULL");
    FAILS(ap_evaluate_controls(probe, test, train, "{\"controls\": 1}", NULL, NULL, &result), AP_USAGE, "Unknown option");
    OK(ap_report_controls(probe, test, train, "{\"bootstrap\": 20, \"confound\": \"^(.)\"}", "colours", NULL, NULL, &result));
    CHECK(strstr(result, "colours") && strstr(result, "above the best control") && strstr(result, ">confound<"));
    OK(ap_text_free(result));
    FAILS(ap_report_controls(probe, test, NULL, NULL, NULL, NULL, NULL, &result), AP_USAGE, "expected data, found NULL");
    FAILS(ap_report_controls(probe, test, train, NULL, NULL, NULL, NULL, NULL), AP_USAGE, "html: expected");
    OK(ap_probe_free(probe));
}

void test_shares(const char *folder) {
    ap_data *train = open_data(folder, "train.safetensors"), *test = open_data(folder, "test.safetensors");
    test_rounds(folder, train);
    test_controls(folder, train, test);
    OK(ap_data_free(train));
    OK(ap_data_free(test));
}
