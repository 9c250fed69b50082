// page.mjs BROWSER SITE OUT TOKENS: what a user of the page does. OUT/greedy.txt, OUT/sampled.txt: what it wrote;
// OUT/page.png: what it looks like; on stdout, a line per thing measured: NAME VALUE.
import { writeFile } from "node:fs/promises";
import { Browser } from "./browser.mjs";

const [program, site, out, tokens] = process.argv.slice(2);
const browser = await Browser.start(program, site, `${out}/profile`);
const status = () => browser.evaluate("document.getElementById('status').textContent");
const until = (text) => browser.until(`document.getElementById('status')?.matches('.error') ||
    document.getElementById('status')?.textContent.includes('${text}')`, `'${text}'`);

async function fill(fields) {
    for (const [id, value] of Object.entries(fields))
        await browser.evaluate(`document.getElementById('${id}').value = '${value}'`);
}

// Meanwhile a timer of the page counts: it stands still where the page does.
async function write(fields) {
    await fill(fields);
    await browser.evaluate(`window.ticks = 0; window.timer = setInterval(() => window.ticks++, 10);
        document.getElementById('write').click()`);
    await until("done.");
    const ticks = await browser.evaluate("clearInterval(window.timer); window.ticks");
    const said = await status();
    const speed = said.match(/^(\d+) tokens, (\d+) tokens\/s, done\.$/);
    if (!speed || speed[1] !== String(fields.tokens)) throw new Error(`the page says: ${said}`);
    const text = await browser.evaluate("document.getElementById('text').lastChild.data");
    return { text, ticks, speed: speed[2] };
}

try {
    await browser.open("");
    await until("Ready.");
    const first = { prompt: "ROMEO:", tokens, temperature: 0, seed: 7 };
    const greedy = await write(first);
    await writeFile(`${out}/greedy.txt`, greedy.text);
    const sampled = await write({ ...first, temperature: 0.7 });
    await writeFile(`${out}/sampled.txt`, sampled.text);
    await browser.screenshot(`${out}/page.png`);
    console.log(`tokens_per_second ${greedy.speed}`);
    console.log(`ticks ${greedy.ticks}`);

    await fill({ tokens: 100000 });
    await browser.evaluate("document.getElementById('write').click()");
    await until("positions");
    console.log(`too_many ${await status()}`);

    await fill({ prompt: "O", tokens: (await browser.evaluate("document.getElementById('model').textContent"))
        .match(/up to (\d+)/)[1] - 1 });
    await browser.evaluate("document.getElementById('write').click()");
    await until("tokens/s …");
    await browser.evaluate("document.getElementById('stop').click()");
    await until("stopped.");
    console.log(`stopped ${await status()}`);
} finally {
    await browser.close();
}
