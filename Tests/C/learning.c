/* Data, training, selection, judgement: the same as the command line's, and callbacks that watch and stop. */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"

/* Whether all lines of a file that the command line printed, but for paths and times, are in a text. */
static int has_lines_of(const char *folder, const char *name, const char *text) {
    char path[4096];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *file = read_file(path, &size);
    int all = 1;
    for (char *line = strtok(file, "\n"); line; line = strtok(NULL, "\n")) {
        size_t length = strlen(line);
        if (length && line[length - 1] == ',') line[length - 1] = 0;
        if (strstr(line, "\"probe\" :") || strstr(line, "\"out_of_fold\" :")) continue;
        if (strstr(line, "\"seconds\" :") || strstr(text, line)) continue;
        fprintf(stderr, "%s: not in the result: %s\n", name, line);
        all = 0;
    }
    free(file);
    return all;
}

/* Whether a probe has the bytes of a file: all, or the last ones, which are the parameters. */
static int is_file(ap_probe *probe, const char *folder, const char *name, size_t last) {
    char path[4096];
    size_t size, own = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *file = read_file(path, &size);
    OK(ap_probe_bytes(probe, NULL, 0, &own));
    char *bytes = malloc(own);
    OK(ap_probe_bytes(probe, bytes, own, &own));
    int same = last ? memcmp(bytes + own - last, file + size - last, last) == 0
                    : own == size && memcmp(bytes, file, size) == 0;
    free(file), free(bytes);
    return same;
}

typedef struct watcher {
    int told, asked, stop_after;
    char last[512];
} watcher;

static int32_t watch(const char *json, void *context) {
    watcher *own = context;
    if (!json) {
        own->asked++;
        return 0;
    }
    /* How often a training tells of its steps depends on how long they take. */
    if (strstr(json, "\"phase\" : \"step\"") || strstr(json, "\"phase\" : \"reading\"")) return 0;
    own->told++;
    snprintf(own->last, sizeof own->last, "%s", json);
    return own->stop_after > 0 && own->told >= own->stop_after;
}

/* Counts calls that begin while another has not ended. */
typedef struct crowd {
    atomic_int inside, together, asked, told;
} crowd;

static int32_t linger(const char *json, void *context) {
    crowd *own = context;
    if (atomic_fetch_add(&own->inside, 1) > 0) atomic_fetch_add(&own->together, 1);
    atomic_fetch_add(json ? &own->told : &own->asked, 1);
    struct timespec wait = {.tv_nsec = 30000000};
    nanosleep(&wait, NULL);
    atomic_fetch_sub(&own->inside, 1);
    return 0;
}

static void test_training(const char *folder, ap_data *train, ap_data *test) {
    const char *options = "{\"heads\": 4, \"seed\": 1, \"epochs\": 3}";
    ap_probe *probe = NULL, *same = NULL;
    char *result = NULL;
    watcher all = {0};
    OK(ap_train(train, NULL, options, watch, &all, &probe, &result));
    CHECK(all.told == 3 && strstr(all.last, "\"epochs\" : 3") && strstr(all.last, "\"phase\" : \"training\""));
    CHECK(has_lines_of(folder, "train.json", result));
    CHECK(strstr(result, "200 sequences") != NULL);
    CHECK(is_file(probe, folder, "probe.safetensors", 0));
    OK(ap_text_free(result));

    /* From memory the same numbers. */
    char path[4096];
    snprintf(path, sizeof path, "%s/train.safetensors", folder);
    activations states = read_activations(path);
    ap_batch batch = batch_of(&states);
    const char *names[] = {"benign", "injection"};
    ap_known known = {.classes = states.labels, .class_names = names, .class_count = 2, .groups = states.groups};
    ap_data *memory = NULL;
    OK(ap_data_create(&batch, &known, &memory));
    OK(ap_train(memory, NULL, options, NULL, NULL, &same, NULL));
    float a[4 * 384], b[4 * 384];
    int64_t count;
    OK(ap_probe_tensor(probe, "q.weight", a, 4 * 384, &count));
    OK(ap_probe_tensor(same, "q.weight", b, 4 * 384, &count));
    CHECK(memcmp(a, b, sizeof a) == 0);
    OK(ap_probe_free(same));

    /* Early stopping by other data; a callback that stops keeps what there is. */
    OK(ap_train(memory, test, "{\"epochs\": 4, \"patience\": 1}", NULL, NULL, &same, &result));
    CHECK(strstr(result, "\"validation_sequences\" : 100") != NULL);
    OK(ap_text_free(result));
    OK(ap_probe_free(same));
    watcher two = {.stop_after = 2};
    OK(ap_train(memory, NULL, "{\"epochs\": 50}", watch, &two, &same, &result));
    CHECK(two.told <= 3 && strstr(result, "\"stop\" : \"interrupted\"") != NULL);
    OK(ap_text_free(result));
    OK(ap_probe_free(same));

    same = NULL;
    FAILS(ap_train(memory, NULL, "{\"head\": 4}", NULL, NULL, &same, NULL), AP_USAGE, "Unknown option '--head'");
    FAILS(ap_train(memory, NULL, "{\"heads\": 0}", NULL, NULL, &same, NULL), AP_USAGE, "--heads: expected");
    FAILS(ap_train(memory, NULL, "{\"heads\": \"many\"}", NULL, NULL, &same, NULL), AP_USAGE, "many");
    FAILS(ap_train(memory, NULL, "{\"heads\": [1, 2]}", NULL, NULL, &same, NULL), AP_USAGE, "one value without");
    FAILS(ap_train(memory, NULL, "{\"validation\": \"x\"}", NULL, NULL, &same, NULL), AP_USAGE, "Unknown option");
    FAILS(ap_train(memory, NULL, "{\"help\": true}", NULL, NULL, &same, NULL), AP_USAGE, "Unknown option");
    FAILS(ap_train(memory, NULL, "[1]", NULL, NULL, &same, NULL), AP_USAGE, "expected a JSON object");
    FAILS(ap_train(memory, NULL, "{\"kind\": \"lda\", \"l2\": 1}", NULL, NULL, &same, NULL), AP_USAGE, "--l2");
    FAILS(ap_train(memory, NULL, "{\"patience\": 3}", NULL, NULL, &same, NULL), AP_USAGE, "--patience");
    FAILS(ap_train(memory, (ap_data *)probe, NULL, NULL, NULL, &same, NULL), AP_USAGE, "expected data, found a probe");
    FAILS(ap_train(memory, NULL, NULL, NULL, NULL, NULL, NULL), AP_USAGE, "place for the result");
    CHECK(same == NULL);
    OK(ap_probe_free(probe));
    OK(ap_data_free(memory));
    free_activations(&states);
}

/* Scores that are known are judged as those that are found. */
static void test_known_scores(const char *folder, ap_probe *probe, ap_data *test) {
    char path[4096], *found = NULL, *known = NULL;
    const char *options = "{\"bootstrap\": 50}";
    snprintf(path, sizeof path, "%s/test.safetensors", folder);
    activations states = read_activations(path);
    ap_batch batch = batch_of(&states);
    ap_shape shape;
    OK(ap_probe_shape(probe, &shape));
    int64_t outputs = states.sequences * shape.outputs, heads = states.sequences * shape.heads;
    ap_scores scores = {.logits = {calloc(outputs, sizeof(float)), outputs},
                        .entropies = {calloc(heads, sizeof(float)), heads}};
    CHECK(shape.has_entropies);
    OK(ap_score((const ap_probe *const *)&probe, 1, &batch, &scores, 1));
    OK(ap_evaluate(probe, test, options, NULL, NULL, &found));
    OK(ap_evaluate_scores(probe, test, &scores, options, NULL, NULL, &known));
    CHECK(strcmp(found, known) == 0);
    OK(ap_text_free(known));
    FAILS(ap_evaluate_scores(probe, test, NULL, NULL, NULL, NULL, &known), AP_USAGE, "scores");
    FAILS(ap_evaluate_scores(probe, test, &scores, "{\"streaming\": true}", NULL, NULL, &known), AP_USAGE,
          "expected hidden states, found scores");
    scores.logits.values[shape.outputs] = NAN;
    FAILS(ap_evaluate_scores(probe, test, &scores, options, NULL, NULL, &known), AP_USAGE,
          "row 1: expected a finite number");
    scores.logits.count--;
    FAILS(ap_evaluate_scores(probe, test, &scores, options, NULL, NULL, &known), AP_USAGE, "scores: logits");
    OK(ap_text_free(found));
    free(scores.logits.values), free(scores.entropies.values);
    free_activations(&states);
}

static void test_judging(const char *folder, ap_data *train, ap_data *test) {
    char path[4096], *result = NULL, *html = NULL;
    size_t size;
    ap_probe *probe = NULL, *calibrated = NULL;
    snprintf(path, sizeof path, "%s/probe.safetensors", folder);
    OK(ap_probe_load(path, &probe));
    watcher all = {0};
    OK(ap_evaluate(probe, test, "{\"bootstrap\": 50, \"streaming\": true}", watch, &all, &result));
    CHECK(has_lines_of(folder, "evaluate.json", result));
    CHECK(all.told > 0 && strstr(all.last, "\"done\" : 100"));
    OK(ap_text_free(result));
    OK(ap_evaluate(probe, train, "{\"bootstrap\": 0}", NULL, NULL, &result));
    CHECK(strstr(result, "warning: the probe was trained on a file called train") != NULL);
    OK(ap_text_free(result));
    test_known_scores(folder, probe, test);
    watcher one = {.stop_after = 1};
    FAILS(ap_evaluate(probe, test, NULL, watch, &one, &result), AP_INTERRUPTED, "stopped by the callback");
    FAILS(ap_evaluate(probe, test, "{\"bootstrap\": -1}", NULL, NULL, &result), AP_USAGE, "--bootstrap");

    OK(ap_calibrate(probe, test, "{\"fpr\": 0.2, \"streaming\": true}", NULL, NULL, &calibrated, &result));
    CHECK(has_lines_of(folder, "calibrate.json", result));
    CHECK(is_file(calibrated, folder, "calibrated.safetensors", 0));
    OK(ap_text_free(result));

    OK(ap_report(probe, test, "{\"bootstrap\": 50}", "probe", NULL, NULL, &html));
    snprintf(path, sizeof path, "%s/report.html", folder);
    char *page = read_file(path, &size);
    CHECK(strcmp(page, html) == 0);
    OK(ap_text_free(html));
    free(page);
    OK(ap_probe_free(probe));
    OK(ap_probe_free(calibrated));
}

static void test_selection(const char *folder, ap_data *train) {
    ap_probe *probe = NULL;
    char *result = NULL;
    watcher all = {0};
    const char *options = "{\"kind\": [\"mean\", \"last\"], \"l2\": [0.1, 1], \"folds\": 3, \"fpr\": 0.2}";
    OK(ap_select(train, options, NULL, watch, &all, &probe, &result));
    CHECK(all.told > 0 && strstr(all.last, "\"phase\" : \"selection\"") != NULL);
    CHECK(has_lines_of(folder, "select.json", result));
    CHECK(strstr(result, "\"out_of_fold\" : [") != NULL);
    /* The rest says how long trainings took. */
    CHECK(is_file(probe, folder, "selected.safetensors", 385 * sizeof(float)));
    OK(ap_text_free(result));
    OK(ap_probe_free(probe));
    /* Folds are trained side by side, and the caller hears one at a time. */
    crowd callers = {0};
    const char *several = "{\"kind\": [\"mean\", \"last\", \"max\"], \"folds\": 3, \"epochs\": 10, \"threads\": 4}";
    OK(ap_select(train, several, NULL, linger, &callers, &probe, NULL));
    CHECK(callers.told > 0 && callers.asked > 0 && callers.together == 0);
    OK(ap_probe_free(probe));
    watcher one = {.stop_after = 1};
    FAILS(ap_select(train, options, NULL, watch, &one, &probe, NULL), AP_INTERRUPTED, "stopped by the callback");
    FAILS(ap_select(train, "{\"metric\": \"r2\"}", NULL, NULL, NULL, &probe, NULL), AP_USAGE, "--metric");
    FAILS(ap_select(train, "{\"select\": true}", NULL, NULL, NULL, &probe, NULL), AP_USAGE, "Unknown option");
}

static void test_data(const char *folder, ap_data *test) {
    char path[4096], *json = NULL;
    int64_t offsets[] = {0, 2, 3}, labels[] = {0, 1}, wrong[] = {0, 2};
    float states[] = {1, 2, 3, 4, 5, 6}, weights[] = {1, -1}, values[] = {0.25f, NAN};
    const char *names[] = {"no", "yes"}, *ids[] = {"a", "b"}, *texts[] = {"x", "y", NULL}, *none[] = {"no such file"};
    ap_batch batch = {.states = states, .tokens = 3, .width = 2, .sequences = 2, .offsets = offsets};
    ap_data *data = NULL, *again = NULL;
    OK(ap_data_describe(test, &json));
    CHECK(strstr(json, "\"sequences\" : 100") && strstr(json, "\"type\" : \"BF16\"") && strstr(json, "\"groups\" : true"));
    OK(ap_text_free(json));
    OK(ap_data_create(&batch, NULL, &data));
    OK(ap_data_free(data));
    ap_known known = {.classes = labels, .class_names = names, .class_count = 2, .ids = ids, .name = "mine"};
    OK(ap_data_create(&batch, &known, &data));
    snprintf(path, sizeof path, "%s/written.safetensors", folder);
    OK(ap_data_write(data, path, AP_F32));
    FAILS(ap_data_write(data, "/no/such/folder/x", AP_F32), AP_IO, "/no/such/folder");
    FAILS(ap_data_write(data, path, AP_F64), AP_USAGE, "float64");
    again = open_data(folder, "written.safetensors");
    OK(ap_data_describe(again, &json));
    CHECK(strstr(json, "\"sequences\" : 2") && strstr(json, "\"labels\" : \"classes\"") && strstr(json, "\"yes\""));
    OK(ap_text_free(json));
    OK(ap_data_free(again));
    OK(ap_data_free(data));
    FAILS(ap_data_free(data), AP_USAGE, "freed");
    known.classes = wrong;
    FAILS(ap_data_create(&batch, &known, &data), AP_DATA, "mine: label 1: expected the index of one of 2 classes, found 2");
    known.classes = labels;
    known.weights = weights;
    FAILS(ap_data_create(&batch, &known, &data), AP_DATA, "weight 1: expected a number above 0");
    known.weights = NULL;
    known.token_texts = texts;
    FAILS(ap_data_create(&batch, &known, &data), AP_USAGE, "token_texts[2]: expected a text, found NULL");
    known.token_texts = NULL;
    known.values = values;
    known.value_count = 1;
    FAILS(ap_data_create(&batch, &known, &data), AP_USAGE, "found both");
    known.classes = NULL;
    FAILS(ap_data_create(&batch, &known, &data), AP_DATA, "label 1: expected a finite number");
    known.value_count = -1;
    FAILS(ap_data_create(&batch, &known, &data), AP_USAGE, "value_count: expected 1 or more, found -1");
    FAILS(ap_data_create(NULL, NULL, &data), AP_USAGE, "expected a batch");
    FAILS(ap_data_open(none, 1, NULL, &data), AP_NO_INPUT, "no such file");
    FAILS(ap_data_open(none, 0, NULL, &data), AP_USAGE, "paths: expected at least one");
    FAILS(ap_data_open(none, 1, "{\"labels\": \"x\", \"seed\": 1}", &data), AP_USAGE, "Unknown option '--seed'");
}

void test_learning(const char *folder) {
    ap_data *train = open_data(folder, "train.safetensors"), *test = open_data(folder, "test.safetensors");
    test_data(folder, test);
    test_training(folder, train, test);
    test_judging(folder, train, test);
    test_selection(folder, train);
    OK(ap_data_free(train));
    OK(ap_data_free(test));
}
