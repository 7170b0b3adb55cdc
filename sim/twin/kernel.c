/* The integer model of a head and the gradient of its exact function, vector by vector: see kernel.py.

   kernel.py puts the declarations of `real_t`, `head_t` and `call_t` in front of this text, and compiles it once for each type of
   logits. Tables and numbers are those of the modules in this folder, whose names they have. */

enum { LOGARITHM, DIVIDER, RECIPROCAL, EXACT, LOG_SOFTMAX, LOSS };
enum { ABSOLUTE, WINDOWS, REFERENCE };
enum { BY_POSITION = 1024, PARALLEL = 1 << 15, CHORDS = 10, CHORD_GUARD = 3 };

#if WIDE
#define NEAREST rint
#else
#define NEAREST rintf
#endif

#define INLINE static inline __attribute__((always_inline))

/* A vector as the loops below take it. `masked` and `scaled` are constants there: whether it has `excluded`, and a factor. */
typedef struct {
    int64_t n;
    int32_t factor;
    const uint16_t *position;
    const uint16_t *excluded;
} vector_t;

/* What the elements of a vector share. */
typedef struct {
    int64_t exponent;  /* of the sum */
    int64_t divisor;   /* its significand */
    int64_t logarithm; /* or the logarithm of both */
    int64_t factor;    /* or the reciprocal of the significand */
    double inverse;    /* or that of the sum */
} shared_t;

/* Its fields as variables, which no store can change, so that loops over them become vector instructions. */
#define VECTOR(v)                                      \
    const int64_t n = (v)->n;                          \
    const int32_t times = (v)->factor;                 \
    const uint16_t *restrict position = (v)->position; \
    const uint16_t *restrict excluded = (v)->excluded; \
    (void)n, (void)times, (void)position, (void)excluded
#define INDEX(i) (scaled ? (int32_t)position[i] * times : (int32_t)position[i])
#define COUNTS(i) (!masked || !excluded[i])
#define PRESENT(i) (masked ? (uint16_t)(position[i] & ~excluded[i]) : position[i])

/* One copy of the loops of a function for each combination of a mask and factors, so that none tests for them per element. */
#define SPECIALISED(function, ...)                                  \
    do {                                                            \
        if (c->excluded && c->factors) function(__VA_ARGS__, 1, 1); \
        else if (c->excluded) function(__VA_ARGS__, 1, 0);          \
        else if (c->factors) function(__VA_ARGS__, 0, 1);           \
        else function(__VA_ARGS__, 0, 0);                           \
    } while (0)

INLINE int64_t shifted(int64_t value, int64_t by)
{
    return value >> (by < 63 ? by : 63);
}

/* Positions of the nearest codes, halves to even; whether a logit is NaN. */
static int quantise(const head_t *h, int64_t n, const real_t *restrict x, uint16_t *restrict position)
{
    const double scale = h->scale, inverse = 1.0 / scale, least = h->least, largest = h->largest;
    const double sign = h->flip ? -1.0 : 1.0, origin = h->flip ? largest : -least;
    const double tie = 0.5 - 1.0 / (1 << 30);
    int nan = 0, ties = 0;
    if (h->exact_inverse) {
        /* The product with a power of two is exact in the type of the logits, and so is each code. */
        const real_t by = (real_t)inverse, low = (real_t)least, high = (real_t)largest;
        const real_t direction = (real_t)sign, start = (real_t)origin;
#pragma omp simd reduction(| : nan)
        for (int64_t i = 0; i < n; i++) {
            real_t r = NEAREST(x[i] * by);
            r = r > low ? r : low;
            r = r < high ? r : high;
            position[i] = (uint16_t)(int32_t)(direction * r + start);
            nan |= x[i] != x[i];
        }
        return nan;
    }
#define LOOP(quotient, extra)                                 \
    for (int64_t i = 0; i < n; i++) {                         \
        const double q = quotient;                            \
        double r = rint(q);                                   \
        extra;                                                \
        r = r > least ? r : least;                            \
        r = r < largest ? r : largest;                        \
        position[i] = (uint16_t)(int32_t)(sign * r + origin); \
        nan |= x[i] != x[i];                                  \
    }
    /* The product is off from the quotient by 2^-35 at most within the format, which matters next to a half alone. */
#pragma omp simd reduction(| : nan, ties)
    LOOP((double)x[i] * inverse, ties |= fabs(q - r) > tie)
    if (ties) {
#pragma omp simd reduction(| : nan)
        LOOP((double)x[i] / scale, (void)0)
    }
#undef LOOP
    return nan;
}

/* The largest position that takes part; 0 where none does. */
INLINE int32_t highest_of(const vector_t *v, const int masked)
{
    VECTOR(v);
    uint16_t largest = 0;
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < n; i++) largest = PRESENT(i) > largest ? PRESENT(i) : largest;
    return largest;
}

/* How many elements take part. */
INLINE int64_t counted_of(const vector_t *v, const int masked)
{
    VECTOR(v);
    int64_t without = 0;
    if (masked) {
        /* In blocks whose count a lane of 16 bits holds. */
        for (int64_t start = 0; start < n; start += 1 << 14) {
            const int64_t end = n - start < 1 << 14 ? n : start + (1 << 14);
            uint16_t some = 0;
#pragma omp simd reduction(+ : some)
            for (int64_t i = start; i < end; i++) some = (uint16_t)(some + (excluded[i] & 1));
            without += some;
        }
    }
    return n - without;
}

/* The sum of the exponentials in two windows of octaves, each of which begins at a position of its own. */
INLINE int64_t windows_of(const head_t *h, const vector_t *v, int64_t *reference, const int masked, const int scaled)
{
    VECTOR(v);
    const int64_t *restrict terms = h->terms;
    const int32_t best = highest_of(v, masked) * (scaled ? times : 1);
    const int32_t highest = h->coarse[best], top = h->starts[highest], below = highest ? h->starts[highest - 1] : top;
    const int64_t fraction = h->significand_fraction;
    const uint32_t window = (uint32_t)(top - below);
    int64_t high = 0, before = 0, after = 0, i = 0;
    /* Selections instead of branches, which random scores would mispredict. */
#pragma GCC unroll 4
    for (; i < n; i++) {
        const int32_t p = INDEX(i);
        if (COUNTS(i) & (p >= top)) break;
        before += (COUNTS(i) & (p >= below)) ? terms[p] : 0;
    }
#pragma GCC unroll 4
    for (; i < n; i++) {
        const int32_t p = INDEX(i);
        const int64_t term = COUNTS(i) ? terms[p] : 0;
        high += p >= top ? term : 0;
        after += (uint32_t)(p - below) < window ? term >> fraction : 0;
    }
    const int64_t low = (before >> fraction) + after;
    *reference = highest;
    return (high << (h->accumulator_fraction - fraction)) + (low >> (h->step - h->accumulator_fraction));
}

/* The sum against a reference that grows. */
INLINE int64_t referenced(const head_t *h, const vector_t *v, int64_t *reference, const int masked, const int scaled)
{
    VECTOR(v);
    const int64_t *restrict terms = h->terms;
    const int32_t *restrict shifts = h->shifts;
    int64_t total = 0, running = 0;
    int32_t reach = 0, next = h->starts[1];
#pragma GCC unroll 4
    for (int64_t i = 0; i < n; i++) {
        const int32_t p = INDEX(i);
        if (COUNTS(i) & (p >= next)) { /* rare: a reference grows a few times per vector */
            const int32_t coarse = h->coarse[p];
            total = shifted(total, h->step * (coarse - running));
            running = coarse;
            reach = shifts[p];
            next = h->starts[running + 1];
        }
        const int32_t by = reach - shifts[p];
        total += COUNTS(i) ? terms[p] >> (by < 63 ? by : 63) : 0;
    }
    *reference = running;
    return total;
}

/* The sum of the exponentials that take part, and its reference. */
INLINE int64_t sum_of(const head_t *h, const vector_t *v, int64_t *reference, const int masked, const int scaled)
{
    *reference = 0;
    if (h->sum_kind == WINDOWS) return windows_of(h, v, reference, masked, scaled);
    if (h->sum_kind == REFERENCE) return referenced(h, v, reference, masked, scaled);
    VECTOR(v);
    int64_t total = h->sink_term;
    const int64_t *restrict terms = h->terms;
#pragma GCC unroll 8
    for (int64_t i = 0; i < n; i++) total += terms[INDEX(i)] & -(int64_t)COUNTS(i);
    return total;
}

/* The reciprocal of a significand, from chords where the head has them. */
static int64_t reciprocal_of(const head_t *h, int64_t divisor)
{
    if (h->chord_start) {
        const int64_t address = (divisor >> h->chord_low) - (1 << CHORDS), low = divisor & (((int64_t)1 << h->chord_low) - 1);
        return (h->chord_start[address] - ((h->chord_slope[address] * low) >> h->chord_low)) >> CHORD_GUARD;
    }
    const unsigned __int128 one = (unsigned __int128)1 << (h->reciprocal_width + h->divisor_fraction);
    const int64_t exact = (int64_t)(one / (uint64_t)divisor), largest = ((int64_t)1 << h->reciprocal_width) - 1;
    return exact < largest ? exact : largest;
}

/* Exponent and significand of a sum, and what the normaliser of the head makes of them. */
static shared_t shared_of(const head_t *h, int64_t reference, int64_t total)
{
    /* No result of a vector without an element depends on its sum. */
    if (total == 0) total = (int64_t)1 << h->accumulator_fraction, reference = 0;
    const int64_t leading = 63 - __builtin_clzll((uint64_t)total), down = leading - h->divisor_fraction;
    shared_t s = {.exponent = h->step * reference + leading - h->accumulator_fraction + h->numerator_octaves,
                  .divisor = down >= 0 ? total >> down : total << -down};
    if (h->kind == DIVIDER || h->kind == EXACT) {
        s.inverse = h->kind == EXACT ? 1.0 / (double)s.divisor : ldexp(1.0 / (double)s.divisor, -(int)s.exponent);
        if (h->kind == EXACT && h->reciprocal_width) s.factor = reciprocal_of(h, s.divisor);
    } else if (h->kind == RECIPROCAL) {
        s.factor = reciprocal_of(h, s.divisor);
    } else {
        const int64_t cut = s.divisor >> (h->divisor_fraction - h->fraction - 1);
        s.logarithm = h->logarithm[(cut >> 1) - ((int64_t)1 << h->fraction)];
        s.logarithm += (cut & 1) << (h->working_fraction - h->fraction - 1);
        s.logarithm += h->kind == LOGARITHM ? (s.exponent << h->working_fraction) - 1 : h->octave[s.exponent];
    }
    return s;
}

/* The entry at {1, f} >> (zi + 1). Positions above the sum do not occur, but have a place in `table` below. */
INLINE int32_t antilogarithm(const head_t *h, const shared_t *s, int32_t p)
{
    int32_t z = (int32_t)s->logarithm - h->steps[p];
    z = z < 0 ? 0 : z;
    z = z < (int32_t)h->top ? z : (int32_t)h->top;
    return h->codes[z];
}

INLINE int32_t rounded(double ratio, const head_t *h)
{
    ratio = ratio < h->largest_ratio ? ratio : h->largest_ratio;
    const int32_t code = ((int32_t)ratio + 1) >> 1;
    return code < (int32_t)h->maximum ? code : (int32_t)h->maximum;
}

/* floor(M·2^(P+1−B) / m) >> d, rounded. The dividend is half a unit more than an integer of at most 50 bits, so the product with a
   rounded reciprocal lies between the same integers as the quotient does. */
INLINE int32_t quotient(const head_t *h, const shared_t *s, int32_t p)
{
    return rounded(h->dividend[p] * s->inverse, h);
}

INLINE int32_t product(const head_t *h, const shared_t *s, int32_t p)
{
    const int64_t distance = s->exponent - h->exponent[p], ratio = (h->significand[p] * s->factor) >> h->shift;
    const int64_t code = (shifted(ratio, distance > 0 ? distance : 0) + 1) >> 1;
    return (int32_t)(code < h->maximum ? code : h->maximum);
}

INLINE int32_t magnitude(const head_t *h, const shared_t *s, int32_t p)
{
    const int64_t difference = (s->logarithm - h->position[p]) >> h->shift, least = difference < 0 ? 0 : difference;
    return (int32_t)(least < h->limit ? least : h->limit);
}

/* The codes of a vector: of each element, or of each position where there are fewer positions than elements. */
#define CODES(name, code)                                                                            \
    INLINE void name(const head_t *h, const vector_t *v, const shared_t *s, int32_t *restrict codes, \
                     const int masked, const int scaled)                                             \
    {                                                                                                \
        VECTOR(v);                                                                                   \
        const int32_t count = (int32_t)h->count;                                                     \
        if (count <= BY_POSITION && count < n) {                                                     \
            int32_t table[BY_POSITION];                                                              \
            for (int32_t q = 0; q < count; q++) {                                                    \
                const int32_t p = scaled ? q * times : q;                                            \
                table[q] = (code);                                                                   \
            }                                                                                        \
            _Pragma("GCC unroll 8")                                                                  \
            for (int64_t i = 0; i < n; i++) codes[i] = table[position[i]];                           \
        } else {                                                                                     \
            _Pragma("GCC unroll 8")                                                                  \
            for (int64_t i = 0; i < n; i++) {                                                        \
                const int32_t p = INDEX(i);                                                          \
                codes[i] = (code);                                                                   \
            }                                                                                        \
        }                                                                                            \
    }

CODES(antilogarithms, antilogarithm(h, s, p))
CODES(quotients_by_position, quotient(h, s, p))
CODES(products, product(h, s, p))
CODES(logarithms, -magnitude(h, s, p))

/* The dividends first, one by one, and then vector instructions. `room` holds n numbers. */
INLINE void quotients(const head_t *h, const vector_t *v, const shared_t *s, int32_t *restrict codes, double *restrict room,
                      const int masked, const int scaled)
{
    VECTOR(v);
    if (h->count <= BY_POSITION && h->count < n) {
        quotients_by_position(h, v, s, codes, masked, scaled);
        return;
    }
    const double *restrict dividend = h->dividend;
    const double inverse = s->inverse;
#pragma GCC unroll 8
    for (int64_t i = 0; i < n; i++) room[i] = dividend[INDEX(i)];
#pragma omp simd
    for (int64_t i = 0; i < n; i++) codes[i] = rounded(room[i] * inverse, h);
}

/* Codes that sum to exactly 2^P: the differences of the rounded running sum. `room` holds n numbers.

   The running sums first, one by one, and then vector instructions. */
INLINE void exact_sum(const head_t *h, const vector_t *v, const shared_t *s, int32_t *restrict codes, int64_t *restrict room,
                      const int masked, const int scaled)
{
    VECTOR(v);
    const int64_t width = h->quotient_width, shift = s->exponent - h->raised, largest = ((int64_t)1 << width) - 1;
    const int64_t half = (int64_t)1 << (width - 1);
    const int64_t factor = s->factor, by = h->shift, minimum = h->minimum, share = h->one - minimum * counted_of(v, masked);
    const int64_t *restrict terms = h->terms;
    const double inverse = s->inverse;
    int64_t sum = 0;
    if (h->exact_doubles) {
        /* The same in float64, which holds each of these integers: products of 64 bits take several instructions. */
        double *restrict sums = (double *)room;
        const double cut = ldexp(1.0, -(int)shift), scale = ldexp(1.0, (int)width), down = ldexp(1.0, -(int)width);
        const double top = (double)largest, shares = (double)share, start = (double)half;
#pragma GCC unroll 8
        for (int64_t i = 0; i < n; i++) {
            sum += terms[INDEX(i)] & -(int64_t)COUNTS(i);
            sums[i] = (double)sum;
        }
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            double ratio = floor((floor(sums[i] * cut) * scale + 0.5) * inverse);
            ratio = ratio < top ? ratio : top;
            sums[i] = floor((shares * ratio + start) * down);
        }
        if (n) codes[0] = (int32_t)sums[0];
#pragma omp simd
        for (int64_t i = 1; i < n; i++) codes[i] = (int32_t)(sums[i] - sums[i - 1]);
    } else {
        const int64_t reciprocal = h->reciprocal_width, right = shift > 0 ? shift : 0, left = shift > 0 ? 0 : -shift;
        int64_t before = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += terms[INDEX(i)] & -(int64_t)COUNTS(i);
            const int64_t cut = (sum >> right) << left;
            int64_t ratio = reciprocal ? (cut * factor) >> by : (int64_t)(((double)(cut << width) + 0.5) * inverse);
            ratio = reciprocal || ratio < largest ? ratio : largest;
            const int64_t cumulative = (share * ratio + half) >> width;
            codes[i] = (int32_t)(cumulative - before);
            before = cumulative;
        }
    }
    if (minimum)
#pragma omp simd
        for (int64_t i = 0; i < n; i++) codes[i] += masked && excluded[i] ? 0 : (int32_t)minimum;
}

/* Σ of table entries of the digits of a dividend: the dividend over the weight that lies within the vector. */
INLINE int32_t divided(const head_t *h, int32_t dividend, int64_t which)
{
    const int32_t *entries = h->smoothing_entries;
    int32_t total = 0;
    for (int64_t d = 0; d < h->digits; d++) {
        const int64_t bits = h->digit_bits[d];
        total += entries[(which << bits) + (dividend & (((int32_t)1 << bits) - 1))];
        entries += h->divisors << bits;
        dividend >>= bits;
    }
    return total;
}

/* Which divisor an element has, by its neighbours on both sides; that of the inside is number 0. */
INLINE int64_t which_of(const head_t *h, int64_t n, int64_t i)
{
    const int64_t r = h->radius, right = n - 1 - i;
    return h->choice[(i < r ? i : r) * (r + 1) + (right < r ? right : r)];
}

/* Runs a statement for the elements next to both ends of a vector, whose divisor is another one. */
#define AT_ENDS(statement)                                       \
    do {                                                         \
        const int64_t low = h->radius < n ? h->radius : n;       \
        int64_t i = n - h->radius;                               \
        for (i = i > low ? i : low; i < n; i++) statement;       \
        for (i = 0; i < low; i++) statement;                     \
    } while (0)

/* out[i] = Σ_k w_k·values[i + k], k = −r … r, where `values` has r elements more on both sides; with −k if `back`. */
#define WEIGHED(name, number)                                                                                     \
    INLINE void name##_of(const head_t *h, int64_t n, const number *restrict first, number *restrict out,          \
                          const int back, const int count)                                                        \
    {                                                                                                             \
        number w[5];                                                                                              \
        for (int k = 0; k < count; k++) w[k] = (number)h->weights[back ? count - 1 - k : k];                      \
        _Pragma("omp simd")                                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                         \
            number total = w[0] * first[i] + w[1] * first[i + 1] + w[2] * first[i + 2];                           \
            if (count == 5) total += w[3] * first[i + 3] + w[4] * first[i + 4];                                   \
            out[i] = total;                                                                                       \
        }                                                                                                         \
    }                                                                                                             \
    static void name(const head_t *h, int64_t n, const number *restrict values, number *restrict out, int back)    \
    {                                                                                                             \
        const int64_t count = 2 * h->radius + 1;                                                                  \
        const number *restrict first = values - h->radius;                                                        \
        if (count == 3) {                                                                                         \
            name##_of(h, n, first, out, back, 3);                                                                 \
        } else if (count == 5) {                                                                                  \
            name##_of(h, n, first, out, back, 5);                                                                 \
        } else {                                                                                                  \
            memset(out, 0, sizeof(number) * (size_t)n);                                                           \
            for (int64_t k = 0; k < count; k++) {                                                                 \
                const number weight = (number)h->weights[back ? count - 1 - k : k];                               \
                _Pragma("omp simd")                                                                               \
                for (int64_t i = 0; i < n; i++) out[i] += weight * first[i + k];                                  \
            }                                                                                                     \
        }                                                                                                         \
    }

WEIGHED(weighed_codes, int32_t)
WEIGHED(weighed_gradients, real_t)

/* out[i] = `divided` of values[i], shifted down by `cut`. */
static void divide(const head_t *restrict h, int64_t n, const int32_t *restrict values, int32_t *restrict out, int32_t cut)
{
    if (h->linear) {
        /* Each entry of the inside is a multiple of its digit, and one of them has a constant. */
        const int32_t slope = (int32_t)h->inside_slope, start = (int32_t)h->inside_start;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) out[i] = (values[i] * slope + start) >> cut;
    } else if (h->digits == 2) {
        const int32_t bits = (int32_t)h->digit_bits[0], mask = ((int32_t)1 << bits) - 1;
        const int32_t *restrict table = h->smoothing_entries, *restrict upper = table + (h->divisors << bits);
#pragma GCC unroll 8
        for (int64_t i = 0; i < n; i++) out[i] = (table[values[i] & mask] + upper[values[i] >> bits]) >> cut;
    } else {
        for (int64_t i = 0; i < n; i++) out[i] = divided(h, values[i], 0) >> cut;
    }
    AT_ENDS(out[i] = divided(h, values[i], which_of(h, n, i)) >> cut);
}

/* Every number here has at most 31 bits. `room` holds 2n + 2r numbers. */
static void smooth(const head_t *restrict h, int64_t n, int32_t *restrict codes, int32_t *restrict room)
{
    const int64_t r = h->radius;
    const int32_t cut = (int32_t)h->smoothing_fraction, half = (int32_t)1 << (cut - 1);
    int32_t *restrict values = room + r, *restrict sums = values + n + r;
    for (int64_t i = 0; i < r; i++) room[i] = values[n + i] = 0;
    for (int64_t pass = 0; pass < h->passes; pass++) {
        if (h->scatter) {
            divide(h, n, codes, values, 0);
            weighed_codes(h, n, values, codes, 0);
#pragma omp simd
            for (int64_t i = 0; i < n; i++) codes[i] = (codes[i] + half) >> cut;
        } else {
            memcpy(values, codes, sizeof(int32_t) * (size_t)n);
            weighed_codes(h, n, values, sums, 0);
            divide(h, n, sums, codes, cut);
        }
    }
}

/* The stages behind the head: smoothing, floor, one rounding. `room` holds 2n + 2r numbers. */
static void post(const head_t *restrict h, int64_t n, int32_t *restrict codes, int32_t *restrict room)
{
    if (h->passes) smooth(h, n, codes, room);
    const int64_t width = h->post_width, half = (int64_t)1 << (width - 1), left = ((int64_t)1 << width) - h->floor * n;
    const int64_t cut = h->finish_shift, rounding = (int64_t)1 << (cut - 1), floor = h->floor, levels = h->finish_levels;
    const int64_t maximum = h->finish_maximum;
    if (h->short_posts) {
        const int32_t bits = (int32_t)width, start = (int32_t)half, slope = (int32_t)left, least = (int32_t)floor;
        const int32_t down = (int32_t)cut, add = (int32_t)rounding, times = (int32_t)levels, most = (int32_t)maximum;
        if (floor)
#pragma omp simd
            for (int64_t i = 0; i < n; i++) codes[i] = least + ((slope * codes[i] + start) >> bits);
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            const int32_t code = (codes[i] * times + add) >> down;
            codes[i] = code < most ? code : most;
        }
        return;
    }
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        int64_t code = codes[i];
        if (floor) code = floor + ((left * code + half) >> width);
        code = (code * levels + rounding) >> cut;
        codes[i] = (int32_t)(code < maximum ? code : maximum);
    }
}

INLINE real_t real_of(const head_t *h, int32_t code)
{
    return h->exact_levels ? (real_t)code * (real_t)h->unit : (real_t)code / (real_t)h->levels;
}

INLINE void forward_vector(const head_t *h, const vector_t *v, int64_t label, real_t *restrict values, int64_t *room,
                           const int masked, const int scaled)
{
    VECTOR(v);
    const int32_t none = (int32_t)h->excluded_code;
    int32_t *restrict codes = (int32_t *)room;
    int64_t reference;
    const int64_t total = sum_of(h, v, &reference, masked, scaled);
    const shared_t shared = shared_of(h, reference, total), *s = &shared;
    switch (h->kind) {
    case LOGARITHM: antilogarithms(h, v, s, codes, masked, scaled); break;
    case DIVIDER: quotients(h, v, s, codes, (double *)(room + n), masked, scaled); break;
    case RECIPROCAL: products(h, v, s, codes, masked, scaled); break;
    case EXACT: exact_sum(h, v, s, codes, room + n, masked, scaled); break;
    case LOG_SOFTMAX: logarithms(h, v, s, codes, masked, scaled); break;
    default: {
        const int labelled = (uint64_t)label < (uint64_t)n && COUNTS(label);
        values[0] = real_of(h, labelled ? magnitude(h, s, INDEX(label)) : (int32_t)h->limit);
        return;
    }
    }
    if (masked)
#pragma omp simd
        for (int64_t i = 0; i < n; i++) codes[i] = excluded[i] ? none : codes[i];
    if (h->posts) post(h, n, codes, (int32_t *)(room + n));
    if (h->exact_levels) {
        const real_t unit = (real_t)h->unit;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) values[i] = (real_t)codes[i] * unit;
    } else {
        const real_t levels = (real_t)h->levels;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) values[i] = (real_t)codes[i] / levels;
    }
}

static int forward_row(const head_t *h, const call_t *c, int64_t row, int64_t *room)
{
    const int64_t columns = c->columns, length = c->lengths ? c->lengths[row] : columns, place = row * columns;
    const real_t *x = c->x + place;
    real_t *values = c->values + (h->kind == LOSS ? row : place);
    const int nan = quantise(h, columns, x, c->position + place);
    if (c->excluded) {
        uint16_t *restrict excluded = c->excluded + place;
        const uint8_t *restrict mask = c->mask + place;
#pragma omp simd
        for (int64_t i = 0; i < columns; i++) excluded[i] = (mask[i] != 0) | (x[i] == (real_t)-INFINITY) ? 0xffff : 0;
    }
    int64_t start = 0;
    for (int64_t g = 0; g < c->groups && start < length; g++) {
        const int64_t end = c->ends[g] < length ? c->ends[g] : length;
        const vector_t v = {end - start, c->factors ? (int32_t)c->factors[row] : 1, c->position + place + start,
                            c->excluded ? c->excluded + place + start : 0};
        const int64_t label = c->labels ? c->labels[row] : 0;
        SPECIALISED(forward_vector, h, &v, label, values + start, room);
        start = end;
    }
    if (h->kind != LOSS)
        for (int64_t i = length; i < columns; i++) values[i] = 0;
    return nan;
}

static size_t room_of(const head_t *h, const call_t *c)
{
    return sizeof(int64_t) * (size_t)(3 * c->columns + 2 * h->radius + 1);
}

/* The results; whether a logit is NaN, or −1 where memory is short. */
int forward(const head_t *h, const call_t *c)
{
    int nan = 0, missing = 0;
#pragma omp parallel reduction(| : nan, missing) if (c->rows * c->columns >= PARALLEL)
    {
        int64_t *room = malloc(room_of(h, c));
        missing = !room;
#pragma omp for
        for (int64_t row = 0; row < c->rows; row++)
            if (room) nan |= forward_row(h, c, row, room);
        free(room);
    }
    return missing ? -1 : nan;
}

/* 2^x for x ≤ 0, from 2^-126 up in float32 and from 2^-1022 up in float64: a polynomial of 2^f, |f| <= 1/2. */
INLINE real_t power(real_t x)
{
#if WIDE
    x = x > -1022.0 ? x : -1022.0;
    const double whole = rint(x), f = x - whole;
    double p = 2.5678435993488196e-11;
    p = p * f + 4.44553827187081e-10;
    p = p * f + 7.054911620801121e-09;
    p = p * f + 1.0178086009239696e-07;
    p = p * f + 1.3215486790144305e-06;
    p = p * f + 1.5252733804059838e-05;
    p = p * f + 0.00015403530393381606;
    p = p * f + 0.0013333558146428441;
    p = p * f + 0.009618129107628477;
    p = p * f + 0.055504108664821576;
    p = p * f + 0.2402265069591007;
    p = p * f + 0.6931471805599453;
    p = p * f + 1.0;
    const int64_t bits = ((int64_t)whole + 1023) << 52;
#else
    x = x > -126.0f ? x : -126.0f;
    const float whole = rintf(x), f = x - whole;
    float p = 1.535336188319500e-4f;
    p = p * f + 1.339887440266574e-3f;
    p = p * f + 9.618437357674640e-3f;
    p = p * f + 5.550332471162809e-2f;
    p = p * f + 2.402264791363012e-1f;
    p = p * f + 6.931472028550421e-1f;
    p = p * f + 1.0f;
    const int32_t bits = ((int32_t)whole + 127) << 23;
#endif
    real_t octave;
    memcpy(&octave, &bits, sizeof octave);
    return p * octave;
}

/* out[i] = values[i] over the weight that lies within the vector. */
static void divide_gradient(const head_t *restrict h, int64_t n, const real_t *restrict values, real_t *restrict out)
{
    const real_t inverse = 1 / (real_t)h->sums[0];
#pragma omp simd
    for (int64_t i = 0; i < n; i++) out[i] = values[i] * inverse;
    AT_ENDS(out[i] = values[i] / (real_t)h->sums[which_of(h, n, i)]);
}

/* Smoothing backward: each probability takes the gradients of the results that it is a part of.

   `room` holds 3n + 2r numbers, the first n of which are the result. */
static const real_t *smooth_backward(const head_t *restrict h, int64_t n, const real_t *gradient, real_t *restrict room)
{
    const int64_t r = h->radius;
    real_t *restrict values = room + n + r, *restrict sums = values + n + r;
    for (int64_t i = 0; i < r; i++) room[n + i] = values[n + i] = 0;
    for (int64_t pass = 0; pass < h->passes; pass++) {
        const real_t *source = pass ? room : gradient;
        if (h->scatter) {
            memcpy(values, source, sizeof(real_t) * (size_t)n);
            weighed_gradients(h, n, values, sums, 1);
            divide_gradient(h, n, sums, room);
        } else {
            divide_gradient(h, n, source, values);
            weighed_gradients(h, n, values, room, 1);
        }
    }
    return room;
}

INLINE void backward_vector(const head_t *h, const vector_t *v, int64_t label, const real_t *restrict gradient,
                            real_t *restrict result, real_t *room, const int masked, const int scaled)
{
    VECTOR(v);
    const real_t warmth = scaled ? (real_t)(times * h->factor_unit) : 1;
    const real_t rate = (real_t)h->rate * warmth, slope = (real_t)h->slope * warmth;
    const int32_t low = (int32_t)h->clip_low, high = (int32_t)h->clip_high;
    int32_t best = highest_of(v, masked);
    if (h->has_sink) best = best > (int32_t)h->sink_position ? best : (int32_t)h->sink_position;
    best = best < high ? best : high;
    best = best > low ? best : low;
    real_t sum = 0, dot = 0, whole = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        int32_t p = position[i];
        p = p < high ? p : high;
        p = p > low ? p : low;
        real_t e = power(rate * (real_t)(best - p > 0 ? best - p : 0));
        if (masked) e *= (real_t)(1 - (excluded[i] & 1));
        result[i] = e;
        sum += e;
    }
    if (h->has_sink) {
        int32_t p = (int32_t)h->sink_position;
        p = p < high ? p : high;
        p = p > low ? p : low;
        sum += power(rate * (real_t)(best - p));
    }
    const real_t share = sum > 0 ? 1 / sum : 0;
    if (h->kind == LOSS) {
        const int labelled = (uint64_t)label < (uint64_t)n && COUNTS(label);
        const real_t factor = labelled ? gradient[0] * slope : 0;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) result[i] *= share * factor;
        if (labelled) result[label] -= factor;
        return;
    }
    if (h->kind == LOG_SOFTMAX) {
#pragma omp simd reduction(+ : whole)
        for (int64_t i = 0; i < n; i++) whole += masked && excluded[i] ? (real_t)0 : gradient[i];
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            const real_t value = slope * (gradient[i] - result[i] * share * whole);
            result[i] = masked && excluded[i] ? (real_t)0 : value;
        }
        return;
    }
    real_t gain = slope;
    if (h->posts) {
        if (h->passes) gradient = smooth_backward(h, n, gradient, room);
        gain *= (real_t)(1 - h->floor_share * (double)n);
    }
    if (h->minimum) {
        const int64_t counted = counted_of(v, masked);
        gain *= (real_t)(1 - (double)h->minimum / (double)h->one * (double)counted);
    }
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < n; i++) dot += result[i] * gradient[i];
    const real_t mean = dot * share, factor = share * gain;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) result[i] *= factor * (gradient[i] - mean);
}

static void backward_row(const head_t *h, const call_t *c, int64_t row, real_t *room)
{
    const int64_t columns = c->columns, length = c->lengths ? c->lengths[row] : columns, place = row * columns;
    const real_t *restrict x = c->x + place, *gradient = c->gradient + (h->kind == LOSS ? row : place);
    const uint16_t *restrict position = c->position + place;
    real_t *restrict result = c->result + place;
    int64_t start = 0;
    for (int64_t g = 0; g < c->groups && start < length; g++) {
        const int64_t end = c->ends[g] < length ? c->ends[g] : length;
        const vector_t v = {end - start, c->factors ? (int32_t)c->factors[row] : 1, position + start,
                            c->excluded ? c->excluded + place + start : 0};
        const int64_t label = c->labels ? c->labels[row] : 0;
        SPECIALISED(backward_vector, h, &v, label, gradient + start, result + start, room);
        start = end;
    }
    for (int64_t i = length; i < columns; i++) result[i] = 0;
    const int32_t low = (int32_t)h->clip_low, high = (int32_t)h->clip_high;
    if (low > 0 || high < (int32_t)h->count - 1)
#pragma omp simd
        for (int64_t i = 0; i < columns; i++) result[i] = (position[i] >= low) & (position[i] <= high) ? result[i] : 0;
    const double origin = h->flip ? h->largest : h->least, sign = h->flip ? -1 : 1, inverse = 1 / h->scale;
    double codes = 0, logits = 0;
    if (c->by_scale)
#pragma omp simd reduction(+ : codes)
        for (int64_t i = 0; i < columns; i++) codes += (double)result[i] * (origin + sign * (double)position[i]);
    if (h->stops) {
        const real_t least = (real_t)h->low_real, largest = (real_t)h->high_real;
#pragma omp simd
        for (int64_t i = 0; i < columns; i++) result[i] = (x[i] >= least) & (x[i] <= largest) ? result[i] : 0;
    }
    if (c->by_scale) {
#pragma omp simd reduction(+ : logits)
        for (int64_t i = 0; i < columns; i++) logits += result[i] != 0 ? (double)result[i] * (double)x[i] : 0.0;
        c->by_scale[row] = codes - logits * inverse;
    }
}

/* The gradient of the logits, and that of the scale, for that of the results; −1 where memory is short. */
int backward(const head_t *h, const call_t *c)
{
    int missing = 0;
#pragma omp parallel reduction(| : missing) if (c->rows * c->columns >= PARALLEL)
    {
        real_t *room = malloc(room_of(h, c));
        missing = !room;
#pragma omp for
        for (int64_t row = 0; row < c->rows; row++)
            if (room) backward_row(h, c, row, room);
        free(room);
    }
    return missing ? -1 : 0;
}
