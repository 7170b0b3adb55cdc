// A head under random stalls and resets, against its C model, until so many beats were transferred.
//
// soak.py writes head.h: the C model, the ports, and the beats that a vector must bring. The bench drives the AXI4-Stream ports
// alone and holds every beat of every output against the model. Usage: soak BEATS SEED; prints its counts as JSON.

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <vector>

#include "Vhead.h"
#include "verilated.h"

// Random numbers: xorshift64*, the same for one seed on every machine.
static uint64_t state;
static uint64_t word() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Du;
}
static uint64_t below(uint64_t limit) { return (word() >> 32) * limit >> 32; }
static bool chance(double probability) { return (word() >> 11) * 0x1p-53 < probability; }

// Pauses in phases of random length and rate, because one rate alone never both fills a queue and drains it again.
class Pauses {
    uint64_t left = 0;
    double rate = 0;

public:
    bool next() {
        if (left == 0) {
            const double rates[] = {0.0, 0.05, 0.3, 0.5, 0.9, 1.0};
            rate = rates[below(6)];
            left = rate == 1.0 ? 20 + below(100) : 5 + below(rate == 0.0 ? 300 : 60);
        }
        left--;
        return chance(rate);
    }
};

struct Beat {
    uint64_t data, data_mask, keep, last, user;
};

static const unsigned MAX_LENGTH_FACTOR = 3;  // the longest vector, in multiples of max_length
#include "head.h"  // LANES, MAX_LENGTH, LOWEST, SCORES, STREAMS, HAS_KEEP, Input, place, null_beat, drive_input, drive_ready, sample, due

static Vhead *dut;
static uint64_t cycle, beats_in, beats_out, vectors, resets, drained;

[[noreturn]] static void fail(const char *what, int stream) {
    std::printf("{\"failure\": \"%s\", \"stream\": %d, \"cycle\": %" PRIu64 "}\n", what, stream, cycle);
    std::exit(1);
}

static bool equal(const Beat &given, const Beat &due) {
    return ((given.data ^ due.data) & due.data_mask) == 0 && given.keep == due.keep && given.last == due.last &&
           given.user == due.user;
}
static bool identical(const Beat &a, const Beat &b) {
    return a.data == b.data && a.keep == b.keep && a.last == b.last && a.user == b.user;
}

// A vector as beats of the input, and the beats that it is due.
static std::deque<Input> pending;
static std::deque<Beat> expected[STREAMS];

static void next_vector() {
    const unsigned kind = (unsigned)below(10);
    const size_t length = kind < 3 ? 1 : kind < 9 ? 1 + below(MAX_LENGTH) : 1 + below(MAX_LENGTH_FACTOR * MAX_LENGTH);
    static head_score_code scores[MAX_LENGTH_FACTOR * MAX_LENGTH];
    static uint8_t mask[MAX_LENGTH_FACTOR * MAX_LENGTH];
    const uint64_t span = 1 + below(SCORES);  // narrow spans have many ties
    const uint64_t base = below(SCORES - span + 1);
    const double masked = below(4) == 0 ? 1.0 : 0.3;
    for (size_t i = 0; i < length; i++) {
        scores[i] = (head_score_code)(LOWEST + (int64_t)(base + below(span)));
        mask[i] = chance(masked);
    }
    for (size_t start = 0; start < length; start += LANES) {
        const size_t held = length - start < LANES ? length - start : LANES;
        while (HAS_KEEP && below(8) == 0) pending.push_back(null_beat(word()));
        Input beat = {word(), 0, word(), start + LANES >= length};
        for (size_t lane = 0; lane < held; lane++) place(beat, lane, scores[start + lane], mask[start + lane]);
        pending.push_back(beat);
    }
    due(scores, mask, length, expected);
    vectors++;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    const uint64_t target = std::strtoull(arguments[1], nullptr, 10);
    state = 0x9E3779B97F4A7C15u ^ std::strtoull(arguments[2], nullptr, 10) << 1;
    const std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    context->randReset(2);  // registers start with random contents
    const std::unique_ptr<Vhead> owner{new Vhead{context.get()}};
    dut = owner.get();

    Pauses source, sinks[STREAMS];
    Beat stalled[STREAMS] = {};
    bool was_stalled[STREAMS] = {};
    bool offered = false, draining = false;
    uint64_t in_reset = 5, reset_cycles = 0, quiet = 0, idle = 0;

    while (true) {
        const bool finished = beats_in + beats_out >= target;
        bool empty = pending.empty();
        for (auto &queue : expected) empty = empty && queue.empty();
        if (in_reset == 0) {
            if (finished && empty && ++idle > 1000) break;  // nothing may come after the last beat
            if (!finished && !draining && below(2000) == 0) {
                draining = below(2) == 0;  // half of the resets come into the middle of vectors, half after the last beat
                if (!draining) in_reset = 1 + below(below(2) ? 20 : 2);
            } else if (draining && empty) {
                draining = false;
                drained++;
                in_reset = 1 + below(20);
            }
            if (in_reset) {
                resets++;
                pending.clear();
                for (auto &queue : expected) queue.clear();
                offered = false;
                for (auto &flag : was_stalled) flag = false;
            }
        }
        const bool resetting = in_reset > 0;
        if (!resetting) reset_cycles = 0;
        if (!resetting && pending.empty() && !finished && !draining) next_vector();
        // What was offered stays; a beat that is not offered holds anything.
        if (!offered) offered = !resetting && !pending.empty() && !source.next();
        dut->aclk = 0;
        dut->aresetn = !resetting;
        drive_input(dut, offered || (resetting && below(2)), offered ? pending.front() : Input{word(), word(), word(), word() & 1});
        uint64_t ready = 0;
        for (int stream = 0; stream < STREAMS; stream++) ready |= (uint64_t)!sinks[stream].next() << stream;
        drive_ready(dut, ready);
        dut->eval();

        bool moved = false;
        for (int stream = 0; stream < STREAMS; stream++) {
            Beat beat;
            const bool valid = sample(dut, stream, beat);
            if (resetting) {
                if (valid && reset_cycles > 0) fail("a beat in reset", stream);
                continue;
            }
            if (was_stalled[stream] && !valid) fail("a beat was taken back", stream);
            if (was_stalled[stream] && !identical(beat, stalled[stream])) fail("a beat changed while it was stalled", stream);
            if (valid && expected[stream].empty()) fail("a beat that no vector is due", stream);
            if (valid && !equal(beat, expected[stream].front())) fail("another beat than that of the model", stream);
            const bool taken = valid && (ready >> stream & 1);
            if (taken) {
                expected[stream].pop_front();
                beats_out++;
                moved = true;
            }
            was_stalled[stream] = valid && !taken;
            stalled[stream] = beat;
        }
        if (resetting) {
            in_reset--;
            reset_cycles++;  // the first of them ends with the edge that resets
        } else if (offered && dut->s_axis_tready) {
            pending.pop_front();
            offered = false;
            beats_in++;
            moved = true;
        }
        quiet = moved || resetting || (finished && empty) ? 0 : quiet + 1;
        if (quiet > 20000) fail("no beat for 20000 cycles", -1);
        dut->aclk = 1;
        dut->eval();
        cycle++;
    }
    std::printf("{\"beats\": %" PRIu64 ", \"vectors\": %" PRIu64 ", \"resets\": %" PRIu64 ", \"drained\": %" PRIu64
                ", \"cycles\": %" PRIu64 "}\n",
                beats_in + beats_out, vectors, resets, drained, cycle);
    return 0;
}
