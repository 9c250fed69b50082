/* Makes safetensors files, right and wrong ones, for the tests of the command line. It shares no code
 * with the reader that is under test.
 *
 *   forge make OUT [NAME:DTYPE:SHAPE=VALUES]…   a right file; SHAPE "2,3" or "-" for a scalar; VALUES "1,2",
 *                                               or "5*" for all elements alike; DTYPE I32 I64 U8 F32
 *   forge set IN OUT TENSOR FIELD TEXT          FIELD dtype, shape or data_offsets of TENSOR becomes TEXT
 *   forge rename IN OUT TENSOR NEW              another name
 *   forge poke IN OUT TENSOR INDEX HEX          element INDEX (of 4 bytes) gets these bits
 *   forge cut IN OUT BYTES                      BYTES fewer at the end
 *   forge length IN OUT HEX                     the header's length field becomes HEX
 *   forge header OUT TEXT                       a file that is this header and no data
 *   forge socket OUT                            a socket that nobody serves
 *   forge headed OUT FILE BYTES                 … the text of FILE, and so many zeros as data */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct {
    unsigned char *data;
    size_t bytes;
} file_t;

static void die(const char *why) {
    fprintf(stderr, "forge: %s\n", why);
    exit(1);
}

static void *get(size_t bytes) {
    void *p = calloc(1, bytes + 1);
    if (!p) die("out of memory");
    return p;
}

static file_t read_all(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) die(path);
    file_t r = {.bytes = (size_t)ftell(f)};
    rewind(f);
    r.data = get(r.bytes);
    if (fread(r.data, 1, r.bytes, f) != r.bytes) die(path);
    fclose(f);
    return r;
}

static uint64_t get64(const unsigned char *p) {
    uint64_t x = 0;
    for (int i = 7; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

static void put64(unsigned char *p, uint64_t x) {
    for (int i = 0; i < 8; i++) p[i] = (unsigned char)(x >> 8 * i);
}

static void write_parts(const char *path, const char *header, const void *data, size_t bytes) {
    FILE *f = fopen(path, "wb");
    unsigned char length[8];
    put64(length, strlen(header));
    if (!f || fwrite(length, 1, 8, f) != 8 || fputs(header, f) < 0 ||
        fwrite(data, 1, bytes, f) != bytes || fclose(f) != 0)
        die(path);
}

static void write_raw(const char *path, const file_t *x) {
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(x->data, 1, x->bytes, f) != x->bytes || fclose(f) != 0) die(path);
}

/* ---- making -------------------------------------------------------------------------------------- */

static size_t count_elements(const char *shape) {
    size_t n = 1;
    if (*shape == '-') return 1;
    for (const char *p = shape; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        n *= strtoul(p, NULL, 10);
    return n;
}

static void put_value(unsigned char *p, const char *dtype, const char *text) {
    if (strcmp(dtype, "F32") == 0) {
        float x = strtof(text, NULL);
        memcpy(p, &x, 4);
    } else {
        put64(p, (uint64_t)strtoll(text, NULL, 10)); /* room for 8 bytes is always there */
    }
}

static size_t dtype_bytes(const char *dtype) {
    return strcmp(dtype, "I64") == 0                                ? 8
           : strcmp(dtype, "U8") == 0 || strcmp(dtype, "BOOL") == 0 ? 1
                                                                    : 4;
}

static void make(const char *out, int n, char **tensors) {
    char *header = get(1 << 16);
    unsigned char *data = get(1 << 24);
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        char name[64], dtype[8], shape[64];
        if (sscanf(tensors[i], "%63[^:]:%7[^:]:%63[^=]", name, dtype, shape) != 3) die(tensors[i]);
        const char *value = strchr(tensors[i], '=') + 1;
        size_t elements = count_elements(shape), start = at;
        int alike = strchr(value, '*') != NULL;
        for (size_t k = 0; k < elements; k++, at += dtype_bytes(dtype)) {
            put_value(data + at, dtype, value);
            if (!alike && strchr(value, ',')) value = strchr(value, ',') + 1;
        }
        sprintf(header + strlen(header),
                "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                i ? "," : "{", name, dtype, *shape == '-' ? "" : shape, start, at);
    }
    sprintf(header + strlen(header), n ? "}" : "{}");
    write_parts(out, header, data, at);
    free(header);
    free(data);
}

/* ---- spoiling -------------------------------------------------------------------------------------- */

static char *header_of(const file_t *x) {
    size_t n = (size_t)get64(x->data);
    char *header = get(n);
    memcpy(header, x->data + 8, n);
    return header;
}

/* Where `"TENSOR":` stands. */
static char *find_tensor(char *header, const char *tensor) {
    char key[256];
    snprintf(key, sizeof key, "\"%s\":", tensor);
    char *p = strstr(header, key);
    if (!p) die(tensor);
    return p;
}

static void replace(const file_t *x, const char *out, char *header, char *from, size_t old,
                    const char *text) {
    char *edited = get(strlen(header) + strlen(text));
    sprintf(edited, "%.*s%s%s", (int)(from - header), header, text, from + old);
    size_t data = 8 + strlen(header);
    write_parts(out, edited, x->data + data, x->bytes - data);
    free(edited);
}

static void set_field(const file_t *x, char **a) {
    char *header = header_of(x), key[64];
    snprintf(key, sizeof key, "\"%s\":", a[2]);
    char *value = strstr(find_tensor(header, a[1]), key);
    if (!value) die(a[2]);
    value += strlen(key);
    size_t old = *value == '[' ? strcspn(value, "]") + 1 : strcspn(value + 1, "\"") + 2;
    replace(x, a[0], header, value, old, a[3]);
    free(header);
}

static void rename_tensor(const file_t *x, char **a) {
    char *header = header_of(x);
    replace(x, a[0], header, find_tensor(header, a[1]) + 1, strlen(a[1]), a[2]);
    free(header);
}

static void poke(file_t *x, char **a) {
    char *header = header_of(x);
    char *offsets = strstr(find_tensor(header, a[1]), "\"data_offsets\":[");
    size_t at = 8 + strlen(header) + strtoul(offsets + 16, NULL, 10) + 4 * strtoul(a[2], NULL, 10);
    unsigned char bits[8];
    put64(bits, strtoull(a[3], NULL, 16));
    memcpy(x->data + at, bits, 4);
    write_raw(a[0], x);
    free(header);
}

int main(int argc, char **argv) {
    if (argc < 3) die("see the comment in forge.c");
    const char *verb = argv[1];
    if (strcmp(verb, "make") == 0) {
        make(argv[2], argc - 3, argv + 3);
        return 0;
    }
    if (strcmp(verb, "socket") == 0) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        if (strlen(argv[2]) >= sizeof at.sun_path) die("the path is too long");
        strcpy(at.sun_path, argv[2]);
        if (bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&at, sizeof at) != 0)
            die(argv[2]);
        return 0;
    }
    if (strcmp(verb, "header") == 0 && argc == 4) {
        write_parts(argv[2], argv[3], "", 0);
        return 0;
    }
    if (argc < 5) die("too few arguments");
    if (strcmp(verb, "headed") == 0) {
        file_t header = read_all(argv[3]);
        size_t bytes = strtoul(argv[4], NULL, 10);
        unsigned char *zeros = get(bytes);
        write_parts(argv[2], (const char *)header.data, zeros, bytes);
        free(zeros);
        free(header.data);
        return 0;
    }
    file_t x = read_all(argv[2]);
    if (strcmp(verb, "set") == 0 && argc == 7) set_field(&x, argv + 3);
    else if (strcmp(verb, "rename") == 0 && argc == 6) rename_tensor(&x, argv + 3);
    else if (strcmp(verb, "poke") == 0 && argc == 7) poke(&x, argv + 3);
    else if (strcmp(verb, "cut") == 0 && argc == 5) {
        x.bytes -= strtoul(argv[4], NULL, 10);
        write_raw(argv[3], &x);
    } else if (strcmp(verb, "length") == 0 && argc == 5) {
        put64(x.data, strtoull(argv[4], NULL, 16));
        write_raw(argv[3], &x);
    } else die(verb);
    free(x.data);
    return 0;
}
