#include "base/metrics.h"

#include "base/buffer.h"
#include "base/macros.h"
#include "base/memory.h"
#include "base/utf8.h"

/* Out of memory aborts, as everywhere (memory.h). */
#define uthash_malloc(size) memory_zero(1, (size))

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

const double METRICS_SECONDS[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                  0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,    0};

struct metric_cell {
    const struct metric_def *def; /* borrowed from the caller of metrics_declare() */
    char *values;                 /* the label values, each with a NUL behind it: the key */
    size_t values_size;
    double value;         /* a histogram's sum */
    uint64_t count;       /* histograms only */
    uint64_t *in_buckets; /* histograms only: observations per bucket, not yet cumulative */
    UT_hash_handle hh;    /* in family.cells, in order of making */
};

struct family {
    const struct metric_def *def; /* the key */
    struct metric_cell *cells;
    UT_hash_handle hh; /* in metrics.families, in order of declaration */
};

struct collector {
    metrics_collector *collect;
    void *arg;
    struct collector *next;
};

struct metrics {
    struct family *families;
    struct collector *collectors;
};

static size_t label_count(const struct metric_def *def)
{
    size_t count = 0;
    while (count < METRICS_LABELS_MAX && def->labels[count])
        count++;
    return count;
}

static const double *bounds_of(const struct metric_def *def)
{
    return def->buckets ? def->buckets : METRICS_SECONDS;
}

static size_t bound_count(const struct metric_def *def)
{
    const double *bounds = bounds_of(def);
    size_t count = 0;
    while (bounds[count] > 0)
        count++;
    return count;
}

struct metrics *metrics_new(void)
{
    return memory_zero(1, sizeof(struct metrics));
}

static void family_free(struct family *family)
{
    struct metric_cell *cell, *next;
    HASH_ITER (hh, family->cells, cell, next) {
        HASH_DELETE(hh, family->cells, cell);
        free(cell->values);
        free(cell->in_buckets);
        free(cell);
    }
    free(family);
}

void metrics_free(struct metrics **metrics)
{
    struct metrics *old = TAKE(*metrics);
    if (!old)
        return;
    struct family *family, *next_family;
    HASH_ITER (hh, old->families, family, next_family) {
        HASH_DELETE(hh, old->families, family);
        family_free(family);
    }
    while (old->collectors) {
        struct collector *collector = old->collectors;
        old->collectors = collector->next;
        free(collector);
    }
    free(old);
}

/* Takes `values`. */
static struct metric_cell *cell_new(struct family *family, char *values, size_t values_size)
{
    struct metric_cell *cell = memory_zero(1, sizeof(*cell));
    cell->def = family->def;
    cell->values = values;
    cell->values_size = values_size;
    if (cell->def->kind == METRIC_HISTOGRAM)
        cell->in_buckets = memory_zero(bound_count(cell->def), sizeof(uint64_t));
    HASH_ADD_KEYPTR(hh, family->cells, cell->values, cell->values_size, cell);
    return cell;
}

static struct metric_cell *cell_find(struct family *family, const char *values, size_t size)
{
    struct metric_cell *cell;
    HASH_FIND(hh, family->cells, values, size, cell);
    return cell;
}

/* A metric without labels has its one cell, at 0, from the start: a rate() over it misses nothing.
 */
static struct family *family_get(struct metrics *metrics, const struct metric_def *def)
{
    struct family *family;
    HASH_FIND_PTR(metrics->families, &def, family);
    if (family)
        return family;
    family = memory_zero(1, sizeof(*family));
    family->def = def;
    HASH_ADD_PTR(metrics->families, def, family);
    if (label_count(def) == 0)
        (void)cell_new(family, memory_text(""), 0);
    return family;
}

void metrics_declare(struct metrics *metrics, const struct metric_def *defs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)family_get(metrics, &defs[i]);
}

static char *join(const char *const *values, size_t count, size_t *ret_size)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += strlen(values[i]) + 1;
    char *joined = memory_zero(size, 1);
    char *end = joined;
    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, values[i]) + 1;
    *ret_size = size;
    return joined;
}

/* The cell that all label values beyond the limit share. */
static struct metric_cell *cell_of_others(struct family *family, size_t labels)
{
    const char *values[METRICS_LABELS_MAX] = {"other", "other", "other", "other"};
    static_assert(ARRAY_SIZE(values) == METRICS_LABELS_MAX, "one word for each label");
    size_t size;
    _cleanup_(memory_text_free) char *joined = join(values, labels, &size);
    struct metric_cell *cell = cell_find(family, joined, size);
    return cell ? cell : cell_new(family, TAKE(joined), size);
}

struct metric_cell *metrics_cell(struct metrics *metrics, const struct metric_def *def, ...)
{
    const char *values[METRICS_LABELS_MAX];
    size_t labels = label_count(def);
    va_list arguments;
    va_start(arguments, def);
    for (size_t i = 0; i < labels; i++) {
        const char *value = va_arg(arguments, const char *);
        values[i] = value ? value : "";
    }
    va_end(arguments);

    struct family *family = family_get(metrics, def);
    size_t size;
    _cleanup_(memory_text_free) char *joined = join(values, labels, &size);
    struct metric_cell *cell = cell_find(family, joined, size);
    if (cell)
        return cell;
    if (HASH_COUNT(family->cells) >= METRICS_CELLS_MAX)
        return cell_of_others(family, labels);
    return cell_new(family, TAKE(joined), size);
}

void metric_add(struct metric_cell *cell, double amount)
{
    assert(cell->def->kind != METRIC_HISTOGRAM);
    assert(cell->def->kind == METRIC_GAUGE || amount >= 0);
    cell->value += amount;
}

void metric_set(struct metric_cell *cell, double value)
{
    assert(cell->def->kind != METRIC_HISTOGRAM);
    cell->value = value;
}

void metric_observe(struct metric_cell *cell, double value)
{
    assert(cell->def->kind == METRIC_HISTOGRAM);
    const double *bounds = bounds_of(cell->def);
    cell->count++;
    cell->value += value;
    for (size_t i = 0; bounds[i] > 0; i++) {
        if (value > bounds[i])
            continue;
        cell->in_buckets[i]++;
        return;
    }
}

double metric_value(const struct metric_cell *cell)
{
    return cell->def->kind == METRIC_HISTOGRAM ? (double)cell->count : cell->value;
}

void metrics_collect(struct metrics *metrics, metrics_collector *collector, void *arg)
{
    struct collector *entry = memory_zero(1, sizeof(*entry));
    entry->collect = collector;
    entry->arg = arg;
    LL_APPEND(metrics->collectors, entry);
}

static void put_bytes(struct buffer *out, const char *bytes, size_t size)
{
    int result = buffer_add(out, bytes, size);
    assert(result == 0); /* the buffer has no limit */
}

static void put(struct buffer *out, const char *text)
{
    put_bytes(out, text, strlen(text));
}

/* The shortest decimal that reads back as the same number. */
static void put_number(struct buffer *out, double number)
{
    char digits[40];
    if (isnan(number)) {
        put(out, "NaN");
        return;
    }
    if (isinf(number)) {
        put(out, number > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int precision = 6; precision <= 17; precision++) {
        snprintf(digits, sizeof(digits), "%.*g", precision, number);
        if (!(strtod(digits, NULL) < number) && !(strtod(digits, NULL) > number))
            break;
    }
    put(out, digits);
}

static void put_count(struct buffer *out, uint64_t count)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%" PRIu64, count);
    put(out, digits);
}

/* A scraper refuses the whole page for one ill-formed byte, so such bytes become '?'. In help texts
 * the format knows no escape for the quote. */
static void put_escaped(struct buffer *out, const char *text, bool in_quotes)
{
    for (size_t size = strlen(text), step; size; text += step, size -= step) {
        step = utf8_printable(text, size);
        if (*text == '\\')
            put(out, "\\\\");
        else if (*text == '\n')
            put(out, "\\n");
        else if (*text == '"' && in_quotes)
            put(out, "\\\"");
        else if (step == 0)
            put(out, "?");
        else
            put_bytes(out, text, step);
        if (step == 0)
            step = 1;
    }
}

/* {a="1",b="2"}; `bound` NULL: no le label. Nothing at all when there is no label. */
static void put_labels(struct buffer *out, const struct metric_cell *cell, const double *bound)
{
    size_t count = label_count(cell->def);
    const char *value = cell->values;
    const char *opening = "{";
    for (size_t i = 0; i < count; i++, value += strlen(value) + 1) {
        put(out, opening);
        put(out, cell->def->labels[i]);
        put(out, "=\"");
        put_escaped(out, value, true);
        put(out, "\"");
        opening = ",";
    }
    if (bound) {
        put(out, opening);
        put(out, "le=\"");
        put_number(out, *bound);
        put(out, "\"");
    }
    if (count || bound)
        put(out, "}");
}

/* The start of a sample line, up to its number. */
static void put_sample(struct buffer *out, const struct metric_cell *cell, const char *suffix,
                       const double *bound)
{
    put(out, cell->def->name);
    put(out, suffix);
    put_labels(out, cell, bound);
    put(out, " ");
}

static void put_bucket(struct buffer *out, const struct metric_cell *cell, double bound,
                       uint64_t cumulative)
{
    put_sample(out, cell, "_bucket", &bound);
    put_count(out, cumulative);
    put(out, "\n");
}

static void put_histogram(struct buffer *out, const struct metric_cell *cell)
{
    const double *bounds = bounds_of(cell->def);
    uint64_t cumulative = 0;
    for (size_t i = 0; bounds[i] > 0; i++) {
        cumulative += cell->in_buckets[i];
        put_bucket(out, cell, bounds[i], cumulative);
    }
    put_bucket(out, cell, INFINITY, cell->count);
    put_sample(out, cell, "_sum", NULL);
    put_number(out, cell->value);
    put(out, "\n");
    put_sample(out, cell, "_count", NULL);
    put_count(out, cell->count);
    put(out, "\n");
}

static void put_cell(struct buffer *out, const struct metric_cell *cell)
{
    if (cell->def->kind == METRIC_HISTOGRAM) {
        put_histogram(out, cell);
        return;
    }
    put_sample(out, cell, "", NULL);
    put_number(out, cell->value);
    put(out, "\n");
}

static void put_heading(struct buffer *out, const struct metric_def *def)
{
    static const char *const KINDS[] = {
        [METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",
        [METRIC_HISTOGRAM] = "histogram",
    };
    put(out, "# HELP ");
    put(out, def->name);
    put(out, " ");
    put_escaped(out, def->help, false);
    put(out, "\n# TYPE ");
    put(out, def->name);
    put(out, " ");
    put(out, KINDS[def->kind]);
    put(out, "\n");
}

char *metrics_render(struct metrics *metrics, size_t *ret_size)
{
    for (struct collector *entry = metrics->collectors; entry; entry = entry->next)
        entry->collect(entry->arg);

    struct buffer out;
    buffer_init(&out, SIZE_MAX);
    for (struct family *family = metrics->families; family; family = family->hh.next) {
        put_heading(&out, family->def);
        for (struct metric_cell *cell = family->cells; cell; cell = cell->hh.next)
            put_cell(&out, cell);
    }
    size_t size = out.size;
    put_bytes(&out, "", 1);
    if (ret_size)
        *ret_size = size;
    return (char *)out.bytes; /* the caller's now */
}
