/* Default numbers of threads: quotas of control groups, as systems and containers write them, below a folder of ours. */
#define _GNU_SOURCE /* sched_setaffinity */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rt_int.h"

enum { CPUS = 16 };
static char root[] = "/tmp/reformer-cpus-XXXXXX";

/* A file of that root, with the folders above it. */
static void put(const char *path, const char *text) {
    char full[4096];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(root); (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        if (mkdir(full, 0700) != 0) assert_int_equal(errno, EEXIST);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int empty_root(void **state) {
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s && mkdir %s", root, root);
    return system(command);
}

static void expect(int threads) {
    assert_int_equal(reformer_threads_within(root, CPUS), threads);
}

static const char two[] =
    "24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "30 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:4 master:2 - cgroup2 cgroup2 rw,nsdelegate\n";

static void no_groups(void **state) {
    (void)state;
    expect(CPUS);
    put("/proc/self/mountinfo", "24 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n");
    put("/proc/self/cgroup", "0::/\n");
    expect(CPUS);
    put("/proc/self/mountinfo", "\n- \n 1 2 3\n24 1 8:1 / / rw - cgroup2\n");
    put("/proc/self/cgroup", "0\n::\n:cpu\nno group");
    expect(CPUS);
}

static void version_2(void **state) {
    (void)state;
    put("/proc/self/mountinfo", two);
    put("/proc/self/cgroup", "0::/system.slice/product.service\n");
    expect(CPUS);
    put("/sys/fs/cgroup/system.slice/product.service/cpu.max", "max 100000\n");
    expect(CPUS);
    put("/sys/fs/cgroup/system.slice/product.service/cpu.max", "400000 100000\n");
    expect(4);
    put("/sys/fs/cgroup/system.slice/product.service/cpu.max", "399999 100000\n");
    expect(3);
    put("/sys/fs/cgroup/system.slice/product.service/cpu.max", "20000 100000\n");
    expect(1);
    put("/sys/fs/cgroup/system.slice/product.service/cpu.max", "6400000 100000\n");
    expect(CPUS);
    /* the least of those above counts */
    put("/sys/fs/cgroup/system.slice/cpu.max", "250000 50000\n");
    expect(5);
    put("/sys/fs/cgroup/system.slice/product.service/cpu.max", "max 100000\n");
    expect(5);
}

/* With a name space of its own a container is "/", and what is mounted is its own group. */
static void version_2_in_a_container(void **state) {
    (void)state;
    put("/proc/self/mountinfo", two);
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
    expect(3);
    put("/proc/self/cgroup", "0::/../../other\n"); /* moved elsewhere */
    expect(3);
    put("/sys/fs/cgroup/cpu.max", "300000 0\n");
    expect(CPUS);
    put("/sys/fs/cgroup/cpu.max", "99999999999999999999 100000\n");
    expect(CPUS);
}

static const char one[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "33 31 0:30 %s /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
    "32 31 0:29 %s /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
static const char one_group[] =
    "9:name=systemd:/other\n3:cpuset:/other\n4:cpu,cpuacct:/docker/0123abc\n0::/\n";

static void version_1(void **state) {
    (void)state;
    char mounts[1000];
    for (int container = 0; container < 2; container++) { /* one sees its own group alone */
        const char *above = container ? "/docker/0123abc" : "/";
        const char *group = container ? "" : "/docker/0123abc";
        char path[200];
        assert_int_equal(empty_root(state), 0);
        snprintf(mounts, sizeof mounts, one, above, above);
        put("/proc/self/mountinfo", mounts);
        put("/proc/self/cgroup", one_group);
        snprintf(path, sizeof path, "/sys/fs/cgroup/cpu,cpuacct%s/cpu.cfs_quota_us", group);
        put(path, "-1\n");
        expect(CPUS);
        put(path, "700000\n");
        expect(CPUS); /* no period */
        snprintf(path, sizeof path, "/sys/fs/cgroup/cpu,cpuacct%s/cpu.cfs_period_us", group);
        put(path, "100000\n");
        expect(7);
    }
    put("/proc/self/cgroup", "4:cpuacct,cpu:/elsewhere/deep\n"); /* not below what is mounted */
    expect(7);
}

static void odd_names(void **state) {
    (void)state;
    char mounts[6000], group[5000];
    put("/proc/self/mountinfo",
        "30 24 0:26 / /sys/fs/a\\040b\\134 rw shared:4 - cgroup2 none rw\n");
    put("/proc/self/cgroup", "0::/a:b c/d\n");
    put("/sys/fs/a b\\/a:b c/d/cpu.max", "200000 100000\n");
    expect(2);
    memset(group, 'x', sizeof group); /* cut, and not found: what is above it counts */
    memcpy(group, "0::/", 4);
    group[sizeof group - 1] = 0;
    put("/proc/self/cgroup", group);
    put("/sys/fs/a b\\/cpu.max", "900000 100000\n");
    expect(9);
    snprintf(mounts, sizeof mounts, "30 24 0:26 / /%s rw - cgroup2 none rw\n", group);
    put("/proc/self/mountinfo", mounts);
    expect(CPUS);
}

static void limits(void **state) {
    (void)state;
    assert_int_equal(reformer_threads_within(root, 0), 1);
    assert_int_equal(reformer_threads_within(root, 1 << 20), REFORMER_MAX_THREADS);
}

/* Of this process: no more than the CPUs it may run on, and of one CPU one. */
static void affinity(void **state) {
    (void)state;
    cpu_set_t before, one_cpu;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    int max = reformer_default_threads();
    assert_in_range(max, 1, CPU_COUNT(&before));
    CPU_ZERO(&one_cpu);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one_cpu) == 0; i++)
        if (CPU_ISSET(i, &before)) CPU_SET(i, &one_cpu);
    assert_int_equal(sched_setaffinity(0, sizeof one_cpu, &one_cpu), 0);
    assert_int_equal(reformer_default_threads(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(reformer_default_threads(), max);
}

#define WITH_ROOT(test) cmocka_unit_test_setup(test, empty_root)
int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ROOT(no_groups),       WITH_ROOT(version_2), WITH_ROOT(version_2_in_a_container),
        WITH_ROOT(version_1),       WITH_ROOT(odd_names), WITH_ROOT(limits),
        cmocka_unit_test(affinity),
    };
    if (!mkdtemp(root)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command) != 0 || failed;
}
