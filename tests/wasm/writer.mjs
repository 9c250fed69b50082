// writer.mjs SITE IN.st OUT.st: the module of a site continues ids as `generate --output` did, tokens and logits to the bit.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { safetensors, same } from "./safetensors.mjs";

const [site, input, outputs] = process.argv.slice(2);
const source = readFileSync(join(site, "reformer.js"), "utf8");
const { Reformer } = await import("data:text/javascript," + encodeURIComponent(source));
const read = (name) => readFileSync(join(site, name));
const model = await Reformer.load(read("model.wasm"), read("model.weights"));
const want = safetensors(outputs);
const n = want.tokens.length;
model.begin(Array.from(safetensors(input).input_ids), { tokens: n });
const tokens = new Int32Array(n);
for (let i = 0; i < n; i++) {
    same(`logits of token ${i}`, model.logits(), want.logits.subarray(i * model.vocab, (i + 1) * model.vocab));
    tokens[i] = model.next();
}
same("tokens", tokens, want.tokens);
if (model.next() !== null) throw new Error("it writes on and on");

// what the page shows its user
function fails(what, pattern, call) {
    try {
        call();
    } catch (error) {
        if (pattern.test(error.message)) return;
        throw new Error(`${what}: ${error.message}`);
    }
    throw new Error(`${what}: no error`);
}
fails("much text", /5 \+ 1000 tokens: the model has 64 positions/, () => model.begin([2, 3, 4, 5, 6], { tokens: 1000 }));
fails("no prompt", /prompt is empty/, () => model.begin([], { tokens: 1 }));
fails("a text", /model.encode/, () => model.begin("abc", { tokens: 1 }));
fails("no ids", /model.encode/, () => model.begin([3.5], { tokens: 1 }));
fails("no number of tokens", /undefined is no number/, () => model.begin([75]));
fails("no tokens", /0 is no number/, () => model.begin([75], { tokens: 0 }));
fails("a token", /vocab/, () => model.begin([258], { tokens: 1 }));
fails("a temperature", /argument/, () => model.begin([2], { tokens: 1, temperature: -1 }));
const damaged = Uint8Array.from(read("model.weights"));
damaged[5000] ^= 1;
const why = (weights) => Reformer.load(read("model.wasm"), weights).then(() => "", (error) => error.message);
if (!/damaged|checksum/.test(await why(damaged))) throw new Error(`damaged weights: ${await why(damaged)}`);
if (!/bytes/.test(await why(damaged.slice(1)))) throw new Error(`short weights: ${await why(damaged.slice(1))}`);
console.log(`${n} tokens and their logits`);
