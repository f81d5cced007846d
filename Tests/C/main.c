/* Runs all tests of the C interface: main FOLDER, a folder with train.safetensors, probe.safetensors, … */
#include "check.h"

int passed, failed;

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", arguments[0]);
        return 64;
    }
    test_errors(arguments[1]);
    test_probes(arguments[1]);
    test_scores(arguments[1]);
    test_streams(arguments[1]);
    test_threads(arguments[1]);
    test_learning(arguments[1]);
    test_shares(arguments[1]);
    printf("C interface: %d passed, %d failed\n", passed, failed);
    fflush(stdout);
    return failed ? 1 : 0;
}
