/*
 * AttentionProbes from C: load, train, select, judge and run probes of a language model's hidden states.
 *
 * Letters: N sequences, T rows of hidden states, D numbers of a row (d_model), H heads, O outputs (1 for a binary probe,
 * one a class for several classes), B streams of a step. Matrices are row-major.
 *
 * Every function returns AP_OK or the exit code that the command line has for such an error, and then ap_last_error()
 * says in one sentence what was expected, what was found and where. After an error nothing has changed. No function ends
 * the process, prints, or listens to signals.
 *
 * Handles (ap_probe *, …) are numbers in the form of pointers. NULL, a handle that was freed, one of another kind and
 * any other pointer are errors, never crashes. Every handle has a function that frees it; NULL may be freed. A probe,
 * a stream of it and data do not need each other: each may be freed first.
 *
 * Functions may be called from any thread. Calls that change the same stream, streams or writer wait for each other;
 * a probe and data do not change. Scores have the same bits for any number of threads.
 *
 * Texts are UTF-8, but for paths, which are the bytes of the system's names. Messages show bytes that are no UTF-8 as \xE9.
 *
 * Memory that is passed in is read during the call, but for the hidden states of ap_data_create, which are needed until
 * the data are freed. Hidden states are never copied as a whole. OpenBLAS is set to one thread, in the whole process
 * where it is shared with others: threads are this library's own.
 */
#ifndef ATTENTION_PROBES_H
#define ATTENTION_PROBES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header, "0.1.0"; ap_version() gives that of the library. */
#define AP_VERSION_MAJOR 0
#define AP_VERSION_MINOR 1
#define AP_VERSION_PATCH 0

/* The version of the library: "0.1.0". */
const char *ap_version(void);

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

typedef enum ap_status {
    AP_OK = 0,
    AP_USAGE = 64,        /* an argument or option that cannot be: a handle, a count, a buffer, a name */
    AP_DATA = 65,         /* data or a file that break a rule */
    AP_NO_INPUT = 66,     /* a file to be read that is not there */
    AP_INTERNAL = 70,     /* a fault of this library */
    AP_IO = 74,           /* reading or writing failed */
    AP_INTERRUPTED = 130, /* a callback asked to stop, and there is no result yet */
} ap_status;

/*
 * What the last call that failed in this thread says; "" before the first. The text belongs to the library and stays
 * until the next failure in this thread.
 */
const char *ap_last_error(void);

/* Frees a text that a function returned. NULL is fine; a text that is not one of these, or was freed, is AP_USAGE. */
ap_status ap_text_free(char *text);

/*
 * What the library computes with here, as a JSON object: "instruction_set" of its own kernels, "openblas" and
 * "openblas_core", "threads", and "advice" where OpenBLAS has taken kernels below what the processor can do, which only
 * the environment of the process can change. Free it with ap_text_free.
 */
ap_status ap_machine(char **json);

/* ---- Probes ------------------------------------------------------------------------------------------------------ */

/* A fitted probe. */
typedef struct ap_probe ap_probe;

/* Reads a probe file. */
ap_status ap_probe_load(const char *path, ap_probe **probe);

/* Reads a probe from the bytes of a probe file, which are not needed afterwards. */
ap_status ap_probe_load_bytes(const void *bytes, size_t size, ap_probe **probe);

/* Writes a probe file, beside its target and renamed when it is whole. */
ap_status ap_probe_save(const ap_probe *probe, const char *path);

/*
 * The bytes of a probe file. `size` becomes how many there are. They are copied where `bytes` is not NULL; then
 * `capacity` has to be at least `size`.
 */
ap_status ap_probe_bytes(const ap_probe *probe, void *bytes, size_t capacity, size_t *size);

typedef enum ap_task {
    AP_BINARY = 0,
    AP_MULTICLASS = 1,
    AP_MULTILABEL = 2,
    AP_REGRESSION = 3,
} ap_task;

/* What has to be known of a probe to make room for its results. */
typedef struct ap_shape {
    int64_t width;   /* D */
    int64_t outputs; /* O */
    int64_t heads;   /* H; 1 for kinds without heads */
    ap_task task;
    int32_t attends;       /* 1 where heads attend to the tokens of a sequence, so that there is `attention`, else 0 */
    int32_t has_entropies; /* 1 where that attention is a softmax, so that there are `entropies`, else 0 */
    double threshold;      /* the probability from which on a class counts as present (binary, multilabel) */
} ap_shape;

ap_status ap_probe_shape(const ap_probe *probe, ap_shape *shape);

/*
 * All that a probe file says, as one JSON object: "kind", "width", "outputs", "heads", "task", "classes",
 * "hyperparameters", "threshold", "calibration" and, as the file has it, "training"; of an ensemble its "parts", a list of
 * objects with "kind", "heads", "attention", "hyperparameters" and "weight". Free it with ap_text_free.
 */
ap_status ap_probe_describe(const ap_probe *probe, char **json);

/* A tensor of a probe by its name in the file ("q.weight", …): copies its numbers; the count as in ap_probe_bytes. */
ap_status ap_probe_tensor(const ap_probe *probe, const char *name, float *values, int64_t capacity, int64_t *count);

ap_status ap_probe_free(ap_probe *probe);

/* ---- Scores of sequences in memory ------------------------------------------------------------------------------- */

/* How a number of a hidden state is stored, in the machine's byte order. */
typedef enum ap_type {
    AP_F32 = 0,
    AP_F16 = 1,
    AP_BF16 = 2,
    AP_F64 = 3, /* refused: convert to one of the others */
    /* FP8, E4M3FN and E5M2: in a batch, where a token may have a scale. Others refuse them. */
    AP_F8_E4M3 = 4,
    AP_F8_E5M2 = 5,
} ap_type;

/* Hidden states of one or several sequences: T rows of D numbers, of any alignment. */
typedef struct ap_batch {
    const void *states;
    ap_type type;
    int64_t tokens; /* T */
    int64_t width;  /* D */
    int64_t stride; /* bytes from one row to the next; 0 where they lie side by side */
    int64_t sequences; /* N, at least 1 */
    /* Sequence i is the rows offsets[i] … offsets[i+1]-1: N+1 numbers that start at 0, rise, and end at T. */
    const int64_t *offsets;
    /* NULL; or N numbers: sequence i is the rows offsets[i] … ends[i]-1, and other rows belong to none. `offsets` has N
     * numbers then, in any order. */
    const int64_t *ends;
    /* NULL; or T bytes, 0 for a token that counts as a position and that probes may not look at, else 1. */
    const uint8_t *mask;
    /* Of FP8, and looked at for these types alone: NULL, or T scales, of which each token's numbers are multiplied with its
     * own: above 0, and with the largest number of the type still finite. Rows of no sequence may have any. */
    const float *scales;
} ap_batch;

/* Room for `count` numbers; `values` NULL where they are not wanted. */
typedef struct ap_floats {
    float *values;
    int64_t count;
} ap_floats;

/* What a probe says of a batch. Rows of tokens that belong to no sequence are left as they are. */
typedef struct ap_scores {
    ap_floats logits;        /* N×O */
    ap_floats probabilities; /* N×O; not for regression */
    ap_floats entropies;     /* N×H, nats, of softmax attention */
    ap_floats attention;     /* T×H, over the whole sequence; 0 where the probe may not look */
    ap_floats contributions; /* T×H×O, what a token adds to an output through a head */
    ap_floats prefix_logits; /* T×O, of the sequence up to and with the token; NaN before the first it may look at */
} ap_scores;

/*
 * Scores a batch with `count` probes of one width in one pass; scores[i] is what probes[i] says.
 *
 * `threads`: at most so many; 0 for all that the process may use.
 */
ap_status ap_score(const ap_probe *const *probes, int64_t count, const ap_batch *batch, const ap_scores *scores,
                   int32_t threads);

/* ---- Streams: scores token by token -------------------------------------------------------------------------------- */

/* What a probe knows of a text so far. */
typedef struct ap_stream ap_stream;

/* A stream without a token. */
ap_status ap_stream_open(const ap_probe *probe, ap_stream **stream);

/* Another that knows the same, for a text that branches. */
ap_status ap_stream_copy(const ap_stream *stream, ap_stream **copy);

/*
 * Adds `tokens` rows of hidden states, `stride` bytes apart (0: side by side). `mask` as in ap_batch. `logits`, where it
 * has values, is given those of all tokens so far, O numbers: NaN where there was none to look at.
 */
ap_status ap_stream_append(ap_stream *stream, const void *states, ap_type type, int64_t tokens, int64_t width,
                           int64_t stride, const uint8_t *mask, ap_floats logits);

/* The logits and probabilities of the tokens so far, O numbers each: NaN where there was none to look at. */
ap_status ap_stream_scores(const ap_stream *stream, ap_floats logits, ap_floats probabilities);

/* Tokens so far, and those of them that the probe may look at. Either pointer may be NULL. */
ap_status ap_stream_counts(const ap_stream *stream, int64_t *tokens, int64_t *unmasked);

/*
 * Adds all that `later` has seen, as if its tokens had followed. An error for kinds whose windows or averages reach over
 * the border.
 */
ap_status ap_stream_merge(ap_stream *stream, const ap_stream *later);

/* Forgets all tokens. */
ap_status ap_stream_clear(ap_stream *stream);

/* A stream as bytes, for a session that goes on elsewhere; as ap_probe_bytes. */
ap_status ap_stream_bytes(const ap_stream *stream, void *bytes, size_t capacity, size_t *size);

/* Reads a stream of this probe. */
ap_status ap_stream_load_bytes(const ap_probe *probe, const void *bytes, size_t size, ap_stream **stream);

ap_status ap_stream_free(ap_stream *stream);

/* Streams of one or several probes for many texts, each known by a number: what a server with continuous batching has. */
typedef struct ap_streams ap_streams;

/* No streams yet. `threads` of a step; 0 for all that the process may use. */
ap_status ap_streams_create(const ap_probe *const *probes, int64_t count, int32_t threads, ap_streams **streams);

/*
 * Opens a stream. `from` is NULL, or a stream of each probe, of the same tokens, to go on from. An id that is open is an
 * error.
 */
ap_status ap_streams_open(ap_streams *streams, int64_t id, const ap_stream *const *from);

/* Closes a stream that is open. */
ap_status ap_streams_close(ap_streams *streams, int64_t id);

/* How many are open; with `id`s, which, in rising order, as ap_probe_bytes has it. */
ap_status ap_streams_ids(const ap_streams *streams, int64_t *ids, int64_t capacity, int64_t *count);

/* What is known of a text by one of the probes, as a stream of its own. */
ap_status ap_streams_get(const ap_streams *streams, int64_t id, int64_t probe, ap_stream **stream);

/*
 * Adds one token to each of B open streams, none twice. `states` has B rows, `stride` bytes apart (0: side by side);
 * `mask` is NULL or has B bytes. logits[i] and, where it is not NULL, probabilities[i] are what probes[i] says, B×O.
 */
ap_status ap_streams_step(ap_streams *streams, const int64_t *ids, int64_t count, const void *states, ap_type type,
                          int64_t width, int64_t stride, const uint8_t *mask, const ap_floats *logits,
                          const ap_floats *probabilities);

ap_status ap_streams_free(ap_streams *streams);

/* ---- Data: sequences with what is known of them --------------------------------------------------------------------- */

/* Sequences to train on, to judge by, or to write. */
typedef struct ap_data ap_data;

/* What is known of the N sequences of a batch; NULL for what is not. Texts are UTF-8. */
typedef struct ap_known {
    /* N classes: where `class_names` are given the index of one, else the number that names the class. */
    const int64_t *classes;
    const char *const *class_names;
    int64_t class_count;
    /* Or N×value_count numbers: 0 or 1 a class, regression targets, or, with one column and a binary task, probabilities
     * of the second class. */
    const float *values;
    int64_t value_count;
    const int64_t *groups;          /* N; sequences with the same are never split between folds */
    const float *weights;           /* N, above 0 */
    const char *const *ids;         /* N */
    const char *const *token_texts; /* T */
    const char *name;               /* what errors and probe files call the data; NULL for "activations in memory" */
} ap_known;

/*
 * Data in the caller's memory. Hidden states are used in place, and have to stay as they are until the data are freed;
 * all else is copied. `known` may be NULL.
 */
ap_status ap_data_create(const ap_batch *batch, const ap_known *known, ap_data **data);

/*
 * Opens activation files, or folders of them: all forms that the command line reads.
 *
 * `options` here and below is NULL or a JSON object with the names and values of the command line's options:
 * {"labels": "labels.csv", "layer": 12, "skip-nonfinite": true}. An unknown name is an error, and so is a value that the
 * option cannot have. A list stands for several values. Here: labels, id-column, label-column, group-column,
 * labels-in-order, task (what labels of a table are read for), layer, layers, layers-each, pooled, sequence, skip-nonfinite,
 * skip-empty, skip-bad-shards, mask, prompt-lengths, threads.
 */
ap_status ap_data_open(const char *const *paths, int64_t count, const char *options, ap_data **data);

/* "sequences", "tokens", "width", "type", "classes", "labels" (what they are), "groups", "weights", "notes" and "left_out"
 * (of each kind "count" and "names") as JSON. */
ap_status ap_data_describe(const ap_data *data, char **json);

/* Writes all sequences with all that is known of them as one activation file; `type` is how numbers are stored. */
ap_status ap_data_write(const ap_data *data, const char *path, ap_type type);

ap_status ap_data_free(ap_data *data);

/* ---- Training, selection, judgement ----------------------------------------------------------------------------------- */

/*
 * Told how far a call has come: `json` is {"phase": "training", "done": 3, "total": 30, "loss": 0.31, …}, from any thread
 * but one call at a time; or NULL where it is only asked, in the thread of the caller. Other than 0 asks to stop at the
 * next step. A training tells of epochs; twice a second where they take longer, in the phases "reading" and "step", of the
 * parts of the tokens that it has seen before the first, and of the steps of an epoch.
 */
typedef int32_t (*ap_progress)(const char *json, void *context);

/*
 * Fits a probe. Options are those of `attnprobe train` without --select: kind, heads, hidden, units, attention, window, k,
 * temperature, decay, coherence, smoothing, order, rank, optimizer, epochs, batch-size, learning-rate, l2, token-dropout,
 * no-standardize, whiten, class-weight, average, validation-fraction, patience, task, positive, seed, threads.
 *
 * `validation`: data for early stopping, or NULL. `result` becomes what --json prints, with "notes", and may be NULL.
 * Where `progress` asks to stop, the probe is the best so far and "stop" is "interrupted"; AP_INTERRUPTED where there is
 * none yet.
 */
ap_status ap_train(const ap_data *data, const ap_data *validation, const char *options, ap_progress progress,
                   void *context, ap_probe **probe, char **result);

/*
 * Chooses a probe by cross-validation, and trains it on all sequences. Options are those of `attnprobe train --select`:
 * those above, of which lists span a grid, and folds, metric, fpr, confidence, streaming, calibration, group, max-rows,
 * layers-each (of data that were opened with it, or have layers side by side).
 * `journal` is a path where finished trainings are kept, so that an interrupted selection goes on, or NULL. `result` has
 * "out_of_fold" too, what the file of out-of-fold scores has, an object a sequence.
 */
ap_status ap_select(const ap_data *data, const char *options, const char *journal, ap_progress progress, void *context,
                    ap_probe **probe, char **result);

/*
 * Does a share of the trainings that a selection has to do next, for a selection that is spread over processes or machines.
 * Options and data are those of ap_select, the same for all shares. JOURNAL.partial has what is trained already, if there is
 * such a file, the same for all shares of a round, and gains what is trained; its first line is that of the selection, and
 * each line behind it a training.
 *
 * What the journal leaves open and needs no other open result is cut into jobs, and this does those whose number is `share`,
 * from 0, modulo `shares`; with 0 shares it only counts. `result` becomes {"jobs": 40, "trainings": 120, "notes": […]}: what
 * was open for all shares. A round ends when all shares are done; the lines that they have added, in any order behind one
 * first line, are the journal of the next. Where nothing is open ap_select has nothing left to train.
 */
ap_status ap_select_share(const ap_data *data, const char *options, const char *journal, int64_t share, int64_t shares,
                          ap_progress progress, void *context, char **result);

/* Judges a probe: `result` becomes what `attnprobe evaluate --json` prints. Options: bootstrap, documents, streaming,
 * seed, threads. */
ap_status ap_evaluate(const ap_probe *probe, const ap_data *data, const char *options, ap_progress progress,
                      void *context, char **result);

/*
 * The same with "controls" beside it, as `attnprobe evaluate --controls`: what is reached without what the probe is to find,
 * trained on `training`, the data that the probe was trained on. Options: confound too.
 */
ap_status ap_evaluate_controls(const ap_probe *probe, const ap_data *data, const ap_data *training, const char *options,
                               ap_progress progress, void *context, char **result);

/*
 * Judges a probe by scores that are known: of `scores` the logits of all sequences of `data` and, where they are there, the
 * entropies, from which "entropy_ratio" is. `data` has the labels and lengths; its hidden states are not looked at, and may
 * be of any width. The probabilities follow from the logits. `result` as in ap_evaluate. Options: bootstrap, seed, threads.
 */
ap_status ap_evaluate_scores(const ap_probe *probe, const ap_data *data, const ap_scores *scores, const char *options,
                             ap_progress progress, void *context, char **result);

/* Fits probabilities and a threshold, as `attnprobe calibrate`. Options: calibration, fpr, confidence, streaming, seed,
 * threads. */
ap_status ap_calibrate(const ap_probe *probe, const ap_data *data, const char *options, ap_progress progress,
                       void *context, ap_probe **calibrated, char **result);

/* The report page: `html` becomes what `attnprobe report` writes. Options: documents, bootstrap, seed, threads. `name` is
 * what the page calls the probe; NULL for "probe". */
ap_status ap_report(const ap_probe *probe, const ap_data *data, const char *options, const char *name,
                    ap_progress progress, void *context, char **html);

/* The same with controls beside the metrics, as `attnprobe report --controls`, trained on `training`, the data that the probe
 * was trained on. Options: confound too. */
ap_status ap_report_controls(const ap_probe *probe, const ap_data *data, const ap_data *training, const char *options,
                             const char *name, ap_progress progress, void *context, char **html);

#ifdef __cplusplus
}
#endif

#endif
