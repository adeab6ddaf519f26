//! The programs: files, a command, and the last line it must print.

/// One honest piece of work.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Programs on the search path, and modules as `python:NAME`.
    pub(crate) needs: &'static [&'static str],
    pub(crate) files: &'static [(&'static str, &'static str)],
    pub(crate) command: &'static str,
    pub(crate) says: &'static str,
}

const CARGO: &str = "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const C: &str = "#include <stdio.h>\n#include <stdlib.h>\nint main(void) { char *x = malloc(10); \
                 snprintf(x, 10, \"%d\", 6 * 7); puts(x); free(x); return 0; }\n";
const CXX: &str = "#include <iostream>\n#include <thread>\n#include <vector>\n#include <atomic>\nint main() { \
                   std::atomic<int> n{0}; std::vector<std::thread> t; for (int i = 0; i < 20; i++) \
                   t.emplace_back([&] { n++; }); for (auto &x : t) x.join(); std::cout << n << std::endl; }\n";
const CALC: &str = "def add(a, b):\n    return a + b\n";

#[rustfmt::skip]
pub(crate) const PROGRAMS: &[Program] = &[
    Program { name: "cargo test", needs: &["cargo"], files: &[("Cargo.toml", CARGO), ("src/lib.rs", "#[test]\nfn works() { assert_eq!(6 * 7, 42); }\n")],
        command: "cargo test --offline -q 2>&1 | grep -o '1 passed'", says: "1 passed" },
    Program { name: "cargo build script and macro", needs: &["cargo"], files: &[
            ("Cargo.toml", "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nmac = { path = \"mac\" }\n[workspace]\n"),
            ("build.rs", "fn main() { println!(\"cargo:rustc-env=MADE={}\", std::process::id() > 0); }\n"),
            ("src/main.rs", "fn main() { println!(\"{} {}\", env!(\"MADE\"), mac::answer!()); }\n"),
            ("mac/Cargo.toml", "[package]\nname = \"mac\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\nproc-macro = true\n"),
            ("mac/src/lib.rs", "extern crate proc_macro;\n#[proc_macro]\npub fn answer(_: proc_macro::TokenStream) -> proc_macro::TokenStream { \"42\".parse().unwrap() }\n")],
        command: "cargo run --offline -q", says: "true 42" },
    Program { name: "gcc", needs: &["gcc"], files: &[("a.c", C)], command: "gcc -O2 a.c -o a && ./a", says: "42" },
    Program { name: "gcc with address sanitizer", needs: &["gcc"], files: &[("a.c", C)],
        command: "gcc -fsanitize=address,undefined a.c -o a && ASAN_OPTIONS=detect_leaks=0 ./a", says: "42" },
    Program { name: "g++ with threads", needs: &["g++"], files: &[("a.cc", CXX)], command: "g++ -pthread a.cc -o a && ./a", says: "20" },
    Program { name: "clang", needs: &["clang"], files: &[("a.c", C)], command: "clang a.c -o a && ./a", says: "42" },
    Program { name: "make, eight at once", needs: &["make", "gcc"], files: &[("a.c", C), ("Makefile", "all: $(foreach n,1 2 3 4 5 6 7 8,p$(n))\n\t@./p8\np%: a.c\n\t@$(CC) $< -o $@\n")],
        command: "make -s -j8", says: "42" },
    Program { name: "cmake and ctest", needs: &["cmake", "ctest"], files: &[("a.c", C), ("CMakeLists.txt", "cmake_minimum_required(VERSION 3.10)\nproject(one C)\nenable_testing()\nadd_executable(a a.c)\nadd_test(NAME t COMMAND a)\n")],
        command: "cmake -B b -S . >/dev/null && cmake --build b -j4 >/dev/null && cd b && ctest 2>&1 | grep -o '100% tests passed'", says: "100% tests passed" },
    Program { name: "python unittest", needs: &["python3"], files: &[("calc.py", CALC), ("test_calc.py", "import unittest\nfrom calc import add\nclass T(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(2, 2), 4)\n")],
        command: "python3 -m unittest 2>&1", says: "OK" },
    Program { name: "pytest", needs: &["python3", "python:pytest"], files: &[("calc.py", CALC), ("test_calc.py", "from calc import add\ndef test_add(tmp_path):\n    (tmp_path / 'x').write_text('y')\n    assert add(2, 2) == 4\n")],
        command: "python3 -m pytest -q 2>&1 | grep -o '1 passed'", says: "1 passed" },
    Program { name: "pytest on several processes", needs: &["python3", "python:pytest", "python:xdist"], files: &[("test_a.py", "def test_a():\n    pass\ndef test_b():\n    pass\n")],
        command: "python3 -m pytest -q -n 2 2>&1 | grep -o '2 passed'", says: "2 passed" },
    Program { name: "python asyncio server", needs: &["python3"], files: &[("a.py", "import asyncio\nasync def main():\n    async def serve(r, w):\n        w.write(await r.readline()); await w.drain(); w.close()\n    s = await asyncio.start_server(serve, '127.0.0.1', 0)\n    r, w = await asyncio.open_connection('127.0.0.1', s.sockets[0].getsockname()[1])\n    w.write(b'hi\\n')\n    print((await r.readline()).decode().strip())\nasyncio.run(main())\n")],
        command: "python3 a.py", says: "hi" },
    Program { name: "python pool by fork", needs: &["python3"], files: &[("a.py", "import multiprocessing as m\nif __name__ == '__main__':\n    with m.get_context('fork').Pool(4) as p:\n        print(sum(p.map(abs, range(-10, 0))))\n")],
        command: "python3 a.py", says: "55" },
    Program { name: "python pool by spawn", needs: &["python3"], files: &[("a.py", "import multiprocessing as m\nif __name__ == '__main__':\n    with m.get_context('spawn').Pool(2) as p:\n        print(sum(p.map(abs, range(-10, 0))))\n")],
        command: "python3 a.py", says: "55" },
    Program { name: "python shared memory", needs: &["python3"], files: &[("a.py", "from multiprocessing import shared_memory, Lock, Queue\ns = shared_memory.SharedMemory(create=True, size=1 << 20)\ns.buf[:2] = b'ok'\nwith Lock():\n    print(bytes(s.buf[:2]).decode())\ns.close(); s.unlink()\n")],
        command: "python3 a.py", says: "ok" },
    Program { name: "python sqlite with a log", needs: &["python3"], files: &[("a.py", "import sqlite3\nc = sqlite3.connect('a.db')\nprint(c.execute('pragma journal_mode=wal').fetchone()[0])\nc.execute('create table t(a)'); c.execute('insert into t values(1)'); c.commit()\nd = sqlite3.connect('a.db')\nprint(d.execute('select count(*) from t').fetchone()[0])\n")],
        command: "python3 a.py", says: "1" },
    Program { name: "python subprocess and signals", needs: &["python3"], files: &[("a.py", "import subprocess, signal, os\nassert subprocess.check_output(['sh', '-c', 'echo a | tr a b']) == b'b\\n'\np = subprocess.Popen(['sleep', '9'], start_new_session=True)\nos.killpg(p.pid, signal.SIGTERM)\nprint(p.wait())\n")],
        command: "python3 a.py", says: "-15" },
    Program { name: "python threads and timers", needs: &["python3"], files: &[("a.py", "import threading, signal, time\nsignal.signal(signal.SIGALRM, lambda *a: None)\nsignal.setitimer(signal.ITIMER_REAL, .01)\nts = [threading.Thread(target=time.sleep, args=(.01,)) for _ in range(50)]\n[t.start() for t in ts]; [t.join() for t in ts]\nprint(len(ts))\n")],
        command: "python3 a.py", says: "50" },
    Program { name: "python ctypes", needs: &["python3"], files: &[], command: "python3 -c \"import ctypes; print(ctypes.CDLL(None).abs(-3))\"", says: "3" },
    Program { name: "python environment", needs: &["python3"], files: &[], command: "python3 -m venv --without-pip v && v/bin/python -c 'import sys; print(sys.prefix != sys.base_prefix)'", says: "True" },
    Program { name: "python http server", needs: &["python3"], files: &[("a.py", "import threading, urllib.request, http.server\ns = http.server.ThreadingHTTPServer(('localhost', 0), http.server.SimpleHTTPRequestHandler)\nthreading.Thread(target=s.serve_forever, daemon=True).start()\nprint(urllib.request.urlopen('http://localhost:%d/' % s.server_port).status)\n")],
        command: "python3 a.py 2>/dev/null", says: "200" },
    Program { name: "python maps and named pipes", needs: &["python3"], files: &[("a.py", "import mmap, os, threading, tempfile, fcntl\nos.mkfifo('p')\nthreading.Thread(target=lambda: open('p', 'w').write('through')).start()\nprint(open('p').read())\nwith tempfile.TemporaryFile() as f:\n    f.truncate(1 << 20); m = mmap.mmap(f.fileno(), 0); m[0] = 1; fcntl.flock(f, fcntl.LOCK_EX)\n    os.posix_fallocate(f.fileno(), 0, 1 << 16)\nprint('mapped')\n")],
        command: "python3 a.py", says: "mapped" },
    Program { name: "node test runner", needs: &["node"], files: &[("a.test.js", "const t = require('node:test'); const a = require('node:assert');\nt('adds', () => a.equal(2 + 2, 4));\n")],
        command: "node --test 2>&1 | grep -oE 'pass 1'", says: "pass 1" },
    Program { name: "node worker threads", needs: &["node"], files: &[("a.js", "const { Worker, isMainThread, parentPort } = require('worker_threads');\nif (isMainThread) { let n = 0; for (let i = 0; i < 4; i++) new Worker(__filename).on('message', m => { if (++n == 4) console.log('four'); }); } else parentPort.postMessage(1);\n")],
        command: "node a.js", says: "four" },
    Program { name: "node http and child", needs: &["node"], files: &[("a.js", "const h = require('http'), c = require('child_process');\nconst s = h.createServer((q, r) => r.end(c.execSync('echo hi'))).listen(0, '127.0.0.1', () => h.get(s.address(), r => r.on('data', d => { console.log(String(d).trim()); s.close(); })));\n")],
        command: "node a.js", says: "hi" },
    Program { name: "npm test", needs: &["npm", "node"], files: &[("package.json", "{\"name\":\"one\",\"version\":\"1.0.0\",\"scripts\":{\"test\":\"node -e \\\"console.log(42)\\\"\"}}")],
        command: "npm test --silent --offline", says: "42" },
    Program { name: "java", needs: &["javac", "java"], files: &[("A.java", "public class A { public static void main(String[] a) throws Exception { Thread[] t = new Thread[8]; for (int i = 0; i < 8; i++) { t[i] = new Thread(() -> {}); t[i].start(); } for (Thread x : t) x.join(); System.out.println(42); } }\n")],
        command: "javac A.java && java -Xmx256m A", says: "42" },
    Program { name: "go test", needs: &["go"], files: &[("go.mod", "module one\n\ngo 1.20\n"), ("a_test.go", "package one\nimport \"testing\"\nfunc TestA(t *testing.T) {}\n")],
        command: "GOFLAGS=-mod=mod GOCACHE=/tmp/c go test ./... | cut -c1-2", says: "ok" },
    Program { name: "git", needs: &["git"], files: &[("a", "x\n")],
        command: "git init -q . && git config user.email a@b && git config user.name a && git add . && git commit -qm one && git switch -qc two && echo y >a && git commit -qam two && git rebase -q two && git clone -q . /tmp/c && git -C /tmp/c log --oneline | wc -l", says: "2" },
    Program { name: "perl", needs: &["perl"], files: &[], command: "perl -MSocket -e 'socketpair(A, B, AF_UNIX, SOCK_STREAM, 0) or die; syswrite A, \"x\"; sysread B, $x, 1; print \"$x\\n\"'", says: "x" },
    Program { name: "ruby", needs: &["ruby"], files: &[], command: "ruby -e 'puts [1, 2].map { |x| Thread.new { x } }.sum(&:value)'", says: "3" },
    Program { name: "php", needs: &["php"], files: &[], command: "php -r 'echo 6 * 7, PHP_EOL;'", says: "42" },
    Program { name: "sqlite", needs: &["sqlite3"], files: &[], command: "sqlite3 a.db 'create table t(a); insert into t values(7); select a from t'", says: "7" },
    Program { name: "redis on the loopback", needs: &["redis-server", "redis-cli"], files: &[],
        command: "redis-server --port 7001 --save '' --daemonize yes --dir /tmp >/dev/null; for n in $(seq 100); do redis-cli -p 7001 ping 2>/dev/null && break; sleep .05; done; redis-cli -p 7001 shutdown nosave; echo over", says: "over" },
    Program { name: "bash with jobs", needs: &["bash"], files: &[("a.sh", "#!/bin/bash\nset -euo pipefail\nfor n in 1 2 3; do (echo $n) & done | sort | tr -d '\\n'\nwait\ndiff <(echo a) <(echo a) && echo ' same'\n")],
        command: "./a.sh", says: "123 same" },
    Program { name: "core utilities", needs: &["sort", "xargs"], files: &[],
        command: "seq 100000 | sort -rn | xargs -P4 -n1000 echo | wc -w && nice -n 5 timeout 5 env | grep -c PATH && nproc >/dev/null && date +%Z && df . >/dev/null && echo fine", says: "fine" },
    Program { name: "archives", needs: &["tar", "gzip"], files: &[("d/a", "x\n")], command: "tar czf a.tgz d && rm -r d && tar xzf a.tgz && cat d/a", says: "x" },
    Program { name: "awk and sed", needs: &["awk", "sed"], files: &[("a", "1 2\n3 4\n")], command: "sed -i s/4/5/ a && awk '{ s += $1 * $2 } END { print s }' a", says: "17" },
    Program { name: "jq and bc", needs: &["jq", "bc"], files: &[], command: "echo '{\"a\":41}' | jq .a | sed 's/$/+1/' | bc", says: "42" },
    Program { name: "links, modes and times", needs: &["stat"], files: &[("a", "x\n")],
        command: "ln a b && ln -s a c && chmod 700 a && touch -d @0 a && mv a d && mkdir -p x/y && cp -a d x/y && stat -c '%a %Y %h' x/y/d", says: "700 0 1" },
    Program { name: "perl prove", needs: &["prove"], files: &[("t/a.t", "use Test::More tests => 1;\nok(1);\n")], command: "prove -q | grep -o 'Result: PASS'", says: "Result: PASS" },
    Program { name: "a library loaded at run time", needs: &["gcc"], files: &[
            ("l.c", "int f(void) { return 42; }\n"),
            ("a.c", "#include <dlfcn.h>\n#include <stdio.h>\nint main(void) { int (*f)(void) = dlsym(dlopen(\"./l.so\", RTLD_NOW), \"f\"); printf(\"%d\\n\", f()); }\n")],
        command: "gcc -shared -fPIC l.c -o l.so && gcc a.c -o a -ldl && ./a", says: "42" },
    Program { name: "node watches a file", needs: &["node"], files: &[("a", "x\n"), ("a.js", "const fs = require('fs');\nconst w = fs.watch('a', () => { console.log('seen'); w.close(); });\nsetTimeout(() => fs.appendFileSync('a', 'y'), 50);\n")],
        command: "node a.js", says: "seen" },
    Program { name: "python hashes, ssl and archives", needs: &["python3"], files: &[("a.py", "import hashlib, ssl, zipfile, uuid, secrets, locale, zoneinfo\nssl.create_default_context(); uuid.uuid4(); secrets.token_hex()\nwith zipfile.ZipFile('a.zip', 'w') as z:\n    z.writestr('x', 'y')\nprint(hashlib.sha256(b'').hexdigest()[:8])\n")],
        command: "python3 a.py", says: "e3b0c442" },
    Program { name: "a debugger's symbols", needs: &["gcc", "nm"], files: &[("a.c", C)], command: "gcc -g a.c -o a && nm a | grep -c ' T main'", says: "1" },
];
