// A folder of static files, served to a browser that a program drives: no package, the DevTools protocol over two pipes.
//
//     const browser = await Browser.start("chromium", folder, profileFolder);
//     await browser.open("index.html"); await browser.evaluate("1 + 1"); await browser.screenshot("page.png");
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { readFile, writeFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

// What any static web server does.
export async function serve(folder) {
    const server = createServer(async (request, response) => {
        const path = normalize(new URL(request.url, "http://localhost").pathname);
        try {
            const data = await readFile(join(folder, path.endsWith("/") ? path + "index.html" : path));
            const type = TYPES[extname(path)] || "application/octet-stream";
            response.writeHead(200, { "Content-Type": path.endsWith("/") ? TYPES[".html"] : type });
            response.end(data);
        } catch {
            response.writeHead(404).end();
        }
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return server;
}

export class Browser {
    static async start(program, folder, profile) {
        const browser = new Browser();
        browser.server = await serve(folder);
        const own = ["--headless=new", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "--disable-gpu", "--hide-scrollbars",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-extensions", "--disable-dev-shm-usage", "--window-size=800,790"];
        own.push("--no-sandbox"); // which neither root nor every container can have; it sees our own page alone
        browser.process = spawn(program, own, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
        browser.waiting = new Map();
        browser.number = 0;
        browser.received = "";
        browser.process.on("error", (error) => browser.fail(error));
        browser.process.on("exit", (code) => browser.fail(new Error(`the browser ended, ${code}`)));
        browser.process.stdio[3].on("error", () => {});
        browser.process.stdio[4].setEncoding("utf8").on("data", (data) => browser.receive(data));
        return browser;
    }

    fail(error) {
        for (const { reject } of this.waiting.values()) reject(error);
        this.waiting.clear();
    }

    receive(data) {
        const parts = (this.received + data).split("\0");
        this.received = parts.pop();
        for (const part of parts) {
            const { id, result, error } = JSON.parse(part);
            const waits = this.waiting.get(id);
            if (!waits) continue; // an event
            this.waiting.delete(id);
            if (error) waits.reject(new Error(error.message));
            else waits.resolve(result);
        }
    }

    send(method, params = {}) {
        const id = ++this.number;
        const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
        const message = { id, method, params, ...(this.session && { sessionId: this.session }) };
        this.process.stdio[3].write(JSON.stringify(message) + "\0");
        return answer;
    }

    async open(path) {
        const url = `http://127.0.0.1:${this.server.address().port}/${path}`;
        const { targetId } = await this.send("Target.createTarget", { url });
        const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
        this.session = sessionId;
    }

    async evaluate(expression) {
        const what = { expression, returnByValue: true, awaitPromise: true };
        const { result, exceptionDetails } = await this.send("Runtime.evaluate", what);
        if (exceptionDetails) throw new Error(exceptionDetails.exception?.description || expression);
        return result.value;
    }

    async until(expression, what) {
        const end = Date.now() + 60000;
        while (!(await this.evaluate(expression))) {
            if (Date.now() > end) throw new Error(`waited a minute for ${what}`);
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
    }

    async screenshot(path) {
        const { data } = await this.send("Page.captureScreenshot", { format: "png" });
        await writeFile(path, Buffer.from(data, "base64"));
    }

    async close() {
        this.session = undefined;
        const ended = new Promise((resolve) => this.process.once("exit", resolve));
        this.send("Browser.close").catch(() => {});
        await ended;
        this.server.close();
        this.server.closeAllConnections();
    }
}
