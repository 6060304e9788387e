/*
 * DEFLATE, as RFC 1951 has it: blocks of literals and of copies of what went before, in Huffman
 * codes.
 *
 * The bits of a file that is damaged or hostile mean something too, so each step checks what it
 * reads and what it writes; a fault is kept, and from there on nothing more is done.
 */
#include "decompress/inflate.h"
#include <stdbool.h>
#include "lib/string.h"

#define END_OF_BLOCK   256
#define FIRST_LENGTH   257
#define MOST_LITERALS  286 /* two more could be coded, and must not be */
#define MOST_DISTANCES 30
#define LENGTH_CODES   19

/* The shortest blocks that zlib makes, as gzip has it work, are of 16 KiB, since a block ends when
 * that many symbols are noted; what cuts finer to gain a little goes down to some KiB. But a block
 * may be empty, and to set up its codes takes microseconds: without a bound a file of 4 MiB could
 * be busy for 10 seconds. The first ones are for short files. */
#define MOST_BLOCKS(bytes) (1024 + (bytes) / 256)

static void fail(struct inflate *s, const char *why)
{
    if (!s->fault)
        s->fault = why;
}

/* ---- Bits ---- */

static void fill(struct inflate *s)
{
    while (s->count <= 56 && s->in < s->in_end) {
        s->bits |= (uint64_t)*s->in++ << s->count;
        s->count += 8;
    }
}

static void drop(struct inflate *s, unsigned n)
{
    if (n > s->count)
        return fail(s, "it ends too early");
    s->bits >>= n;
    s->count -= n;
}

/* The next n bits, 16 at most; what lies behind the end is 0, and a fault. */
static unsigned take(struct inflate *s, unsigned n)
{
    fill(s);
    unsigned v = (unsigned)s->bits & ((1u << n) - 1);
    drop(s, n);
    return v;
}

/* ---- Huffman codes ---- */

static unsigned reversed(unsigned code, unsigned length)
{
    unsigned out = 0;

    for (; length; length--, code >>= 1)
        out = out << 1 | (code & 1);
    return out;
}

/* Every entry whose low bits are the code, which comes with its highest bit first. */
static void fill_fast(struct inflate_code *c, unsigned symbol, unsigned code, unsigned length)
{
    for (unsigned i = reversed(code, length); i < 1u << INFLATE_FAST_BITS; i += 1u << length)
        c->fast[i] = (uint16_t)(symbol << 4 | length);
}

/* How much of the code space the lengths leave free; below 0: they are too many. */
static int count_lengths(struct inflate_code *c, const uint8_t *lengths, unsigned n)
{
    int left = 1;

    for (unsigned i = 0; i < n; i++)
        c->count[lengths[i]]++;
    c->count[0] = 0;
    for (unsigned length = 1; length <= INFLATE_MOST_BITS && left >= 0; length++)
        left = (left << 1) - c->count[length];
    return left;
}

/* RFC 1951, "Use of Huffman coding in the deflate format": the lengths are all that is needed. Only
 * a code of a single word, or none, may leave some of its space unused. */
static bool make_code(struct inflate_code *c, const uint8_t *lengths, unsigned n)
{
    unsigned code[INFLATE_MOST_BITS + 2] = { 0 }, at[INFLATE_MOST_BITS + 2] = { 0 }, words = 0;

    memset(c, 0, sizeof(*c));
    int left = count_lengths(c, lengths, n);
    for (unsigned l = 1; l <= INFLATE_MOST_BITS; l++) {
        code[l + 1] = (code[l] + c->count[l]) << 1;
        at[l + 1] = at[l] + c->count[l];
        words += c->count[l];
    }
    if (left < 0 || (left > 0 && (words > 1 || words != c->count[1])))
        return false;
    for (unsigned i = 0; i < n; i++) {
        unsigned l = lengths[i];
        if (l == 0)
            continue;
        c->symbol[at[l]++] = (uint16_t)i;
        if (l <= INFLATE_FAST_BITS)
            fill_fast(c, i, code[l], l);
        code[l]++;
    }
    return true;
}

/* Bit by bit: `first` is the first code of its length, `index` where its symbol stands. */
static unsigned decode_slowly(struct inflate *s, const struct inflate_code *c)
{
    unsigned code = 0, first = 0, index = 0;

    for (unsigned length = 1; length <= INFLATE_MOST_BITS; length++) {
        code = code << 1 | (unsigned)(s->bits >> (length - 1) & 1);
        if (code - first < c->count[length]) {
            drop(s, length);
            return c->symbol[index + code - first];
        }
        index += c->count[length];
        first = (first + c->count[length]) << 1;
    }
    fail(s, "a code in it means nothing");
    return 0;
}

static unsigned decode(struct inflate *s, const struct inflate_code *c)
{
    fill(s);
    unsigned e = c->fast[s->bits & ((1u << INFLATE_FAST_BITS) - 1)];
    if (!e)
        return decode_slowly(s, c);
    drop(s, e & 15);
    return e >> 4;
}

/* ---- Blocks ---- */

static bool has_room(struct inflate *s, size_t n)
{
    if (n > s->size - s->used)
        fail(s, "it is longer than its end says");
    return !s->fault;
}

static void copy_stored(struct inflate *s)
{
    drop(s, s->count % 8);
    s->in -= s->count / 8; /* what was read ahead goes back */
    s->bits = s->count = 0;
    unsigned n = take(s, 16), check = take(s, 16);
    if (n != (~check & 0xFFFF))
        fail(s, "the length of a stored block is damaged");
    s->in -= s->count / 8;
    s->bits = s->count = 0;
    if (n > (size_t)(s->in_end - s->in))
        fail(s, "it ends too early");
    if (!has_room(s, n))
        return;
    memcpy(s->out + s->used, s->in, n);
    s->in += n;
    s->used += n;
}

/* What is copied may reach into the copy. */
static void copy_back(struct inflate *s, unsigned symbol)
{
    static const uint16_t lengths[] = { 3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                        15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                        67, 83, 99, 115, 131, 163, 195, 227, 258 };
    static const uint8_t length_bits[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                           2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };

    if (symbol >= sizeof(length_bits))
        return fail(s, "a code in it means nothing");
    unsigned n = lengths[symbol] + take(s, length_bits[symbol]);
    unsigned far = decode(s, &s->distances);
    if (far >= MOST_DISTANCES)
        return fail(s, "a code in it means nothing");
    unsigned bits = far < 4 ? 0 : far / 2 - 1; /* the distances double with every second code */
    size_t back = bits ? ((2u + far % 2) << bits) + 1 + take(s, bits) : far + 1;
    if (back > s->used)
        return fail(s, "a copy in it begins before the start");
    if (!has_room(s, n))
        return;
    for (uint8_t *to = s->out + s->used, *end = to + n; to < end; to++)
        *to = to[-(ptrdiff_t)back];
    s->used += n;
}

static void unpack_block(struct inflate *s)
{
    while (!s->fault) {
        unsigned symbol = decode(s, &s->literals);
        if (symbol == END_OF_BLOCK)
            return;
        if (symbol >= FIRST_LENGTH)
            copy_back(s, symbol - FIRST_LENGTH);
        else if (has_room(s, 1))
            s->out[s->used++] = (uint8_t)symbol;
    }
}

/* RFC 1951, "Compression with fixed Huffman codes". */
static void unpack_fixed(struct inflate *s)
{
    uint8_t lengths[INFLATE_SYMBOLS];

    memset(lengths, 8, 144);
    memset(lengths + 144, 9, 112);
    memset(lengths + 256, 7, 24);
    memset(lengths + 280, 8, 8);
    (void)make_code(&s->literals, lengths, INFLATE_SYMBOLS);
    memset(lengths, 5, 32);
    (void)make_code(&s->distances, lengths, 32);
    unpack_block(s);
}

/* The lengths of both codes, in a code of their own, which has words for repetitions. */
static void read_lengths(struct inflate *s, uint8_t *out, unsigned n)
{
    static const struct {
        uint8_t least, bits;
    } repeats[] = { { 3, 2 }, { 3, 3 }, { 11, 7 } }; /* the last one; none, few or many times */

    for (unsigned i = 0; i < n && !s->fault;) {
        unsigned symbol = decode(s, &s->literals), times;
        if (symbol < 16) {
            out[i++] = (uint8_t)symbol;
            continue;
        }
        times = repeats[symbol - 16].least + take(s, repeats[symbol - 16].bits);
        if (times > n - i || (symbol == 16 && i == 0))
            return fail(s, "the lengths of its codes are damaged");
        memset(out + i, symbol == 16 ? out[i - 1] : 0, times);
        i += times;
    }
}

/* RFC 1951, "Compression with dynamic Huffman codes". */
static void unpack_dynamic(struct inflate *s)
{
    static const uint8_t order[LENGTH_CODES] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                 11, 4,  12, 3, 13, 2, 14, 1, 15 };
    uint8_t lengths[MOST_LITERALS + MOST_DISTANCES] = { 0 };
    unsigned literals = take(s, 5) + 257, distances = take(s, 5) + 1, n = take(s, 4) + 4;

    if (literals > MOST_LITERALS || distances > MOST_DISTANCES)
        return fail(s, "it has too many codes");
    for (unsigned i = 0; i < n; i++)
        lengths[order[i]] = (uint8_t)take(s, 3);
    if (!make_code(&s->literals, lengths, LENGTH_CODES))
        return fail(s, "the lengths of its codes are damaged");
    read_lengths(s, lengths, literals + distances);
    if (s->fault)
        return;
    if (!lengths[END_OF_BLOCK] || !make_code(&s->literals, lengths, literals) ||
        !make_code(&s->distances, lengths + literals, distances))
        return fail(s, "the lengths of its codes are damaged");
    unpack_block(s);
}

const char *inflate_whole(struct inflate *s, const void *from, size_t n, void *to, size_t size,
                          size_t *taken)
{
    static void (*const kinds[])(struct inflate *) = { copy_stored, unpack_fixed, unpack_dynamic };
    size_t blocks = 0;
    bool last = false;

    s->in = from;
    s->in_end = s->in + n;
    s->out = to;
    s->size = size;
    s->used = s->bits = s->count = 0;
    s->fault = NULL;
    while (!last && !s->fault) {
        last = take(s, 1);
        unsigned kind = take(s, 2);
        if (kind < sizeof(kinds) / sizeof(kinds[0]))
            kinds[kind](s);
        else
            fail(s, "a block is of no known kind");
        if (++blocks > MOST_BLOCKS(size))
            fail(s, "it has too many blocks");
    }
    if (s->used < size)
        fail(s, "it is shorter than its end says");
    *taken = n - (size_t)(s->in_end - s->in) - s->count / 8;
    return s->fault;
}
