// speed.mjs REFORMERC MODEL SITE [ROUNDS]: tokens/s of the page in Chromium and of the command line, in turns; the best and
// the median of each. What docs/wasm.md says:
//
//     runtime/web/build.sh specs/tiny-shakespeare site
//     node tests/wasm/speed.mjs reformerc specs/tiny-shakespeare site
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Browser } from "./browser.mjs";

const [reformerc, model, site, rounds = "7"] = process.argv.slice(2);
const TOKENS = 480;
const targets = ["x86-64", "native"];
const profile = mkdtempSync(join(tmpdir(), "reformer-speed-"));
const browser = await Browser.start("chromium", site, profile);

async function page() {
    await browser.evaluate("document.getElementById('write').click()");
    await browser.until("document.getElementById('status').textContent.includes('done.')", "a text");
    return Number((await browser.evaluate("document.getElementById('status').textContent")).match(/(\d+) tokens\/s/)[1]);
}

function line(target) {
    const arguments_ = ["generate", model, "-p", "ROMEO:", "-n", String(TOKENS), "-j", "1", "--target", target];
    const { stderr } = spawnSync(reformerc, arguments_, { encoding: "utf8" });
    return Number(stderr.match(/([\d.]+) tokens\/s/)[1]);
}

try {
    await browser.open("");
    await browser.until("document.getElementById('status')?.textContent === 'Ready.'", "the model");
    await browser.evaluate(`document.getElementById('tokens').value = ${TOKENS};
        document.getElementById('temperature').value = 0`);
    const got = { Chromium: [] };
    for (const target of targets) got[target] = [];
    for (let i = 0; i < Number(rounds); i++) {
        got.Chromium.push(await page());
        for (const target of targets) got[target].push(line(target));
    }
    for (const [who, speeds] of Object.entries(got)) {
        speeds.sort((a, b) => b - a);
        console.log(`${who}: best ${speeds[0].toFixed(0)}, median ${speeds[speeds.length >> 1].toFixed(0)} tokens/s`);
    }
} finally {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
}
