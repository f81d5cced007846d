// A monitor in a server loop with continuous batching, in C++.
//
//     c++ -std=c++17 server.cpp $(pkg-config --cflags --libs attention_probes) -o server
//     ./server probe.safetensors
//
// The server here makes up hidden states; yours has them in a row a running request, after each step of the model. A
// request whose text reaches the probe's threshold is stopped.
#include <attention_probes.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

// Turns a status into an exception.
static void check(ap_status status) {
    if (status != AP_OK) throw std::runtime_error(ap_last_error());
}

// A handle that is freed with its owner.
template <typename Handle, ap_status (*release)(Handle *)>
class Owned {
public:
    Owned() = default;
    Owned(const Owned &) = delete;
    Owned &operator=(const Owned &) = delete;
    ~Owned() { release(handle_); }
    Handle **room() { return &handle_; }
    operator Handle *() const { return handle_; }

private:
    Handle *handle_ = nullptr;
};

struct Request {
    int64_t id;
    int64_t tokens_left;
};

static int serve(const char *path) {
    Owned<ap_probe, ap_probe_free> probe;
    check(ap_probe_load(path, probe.room()));
    ap_shape shape;
    check(ap_probe_shape(probe, &shape));
    if (shape.task != AP_BINARY) throw std::runtime_error("expected a binary probe");

    const ap_probe *probes[] = {probe};
    Owned<ap_streams, ap_streams_free> streams;
    check(ap_streams_create(probes, 1, 0, streams.room()));

    const int64_t total = 200, most_running = 32;
    std::mt19937 random(0);
    std::normal_distribution<float> number(0, 0.05f);
    std::uniform_int_distribution<int64_t> length(8, 64);

    std::vector<Request> running;
    std::vector<float> states(most_running * shape.width), logits(most_running), probabilities(most_running);
    std::vector<int64_t> ids(most_running);
    int64_t next = 0, flagged = 0, steps = 0, tokens = 0;
    while (next < total || !running.empty()) {
        while (next < total && static_cast<int64_t>(running.size()) < most_running) {
            check(ap_streams_open(streams, next, nullptr));
            running.push_back({next++, length(random)});
        }
        const int64_t count = static_cast<int64_t>(running.size());
        // Here the model goes on by one token in every running request.
        for (float &value : states) value = number(random);
        for (int64_t i = 0; i < count; i++) ids[i] = running[i].id;

        ap_floats logits_room = {logits.data(), count}, probabilities_room = {probabilities.data(), count};
        check(ap_streams_step(streams, ids.data(), count, states.data(), AP_F32, shape.width, 0, nullptr,
                              &logits_room, &probabilities_room));
        steps++;
        tokens += count;

        std::vector<Request> left;
        for (int64_t i = 0; i < count; i++) {
            const bool is_flagged = probabilities[i] >= shape.threshold;
            flagged += is_flagged;
            if (is_flagged || --running[i].tokens_left == 0) {
                check(ap_streams_close(streams, running[i].id));
            } else {
                left.push_back(running[i]);
            }
        }
        running.swap(left);
    }
    std::printf("%lld requests, %lld tokens in %lld steps, %lld flagged at %.3f\n", static_cast<long long>(total),
                static_cast<long long>(tokens), static_cast<long long>(steps), static_cast<long long>(flagged),
                shape.threshold);
    return 0;
}

int main(int count, char **arguments) {
    if (count != 2) {
        std::fprintf(stderr, "usage: %s PROBE\n", arguments[0]);
        return 64;
    }
    try {
        return serve(arguments[1]);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s: %s\n", arguments[0], error.what());
        return 1;
    }
}
