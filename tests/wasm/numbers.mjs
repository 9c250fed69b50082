// numbers.mjs MODULE WEIGHTS IN.st OUT.st GRADIENTS.st STEPS.json: forward, gradients and steps of training of numbers.c
// against what another executor wrote of the same input, to the bit.
import { readFileSync } from "node:fs";
import { safetensors, same } from "./safetensors.mjs";

const [module, weights, input, outputs, gradients, steps] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(module), {});
const m = instance.exports;

function put(array) {
    const at = m.take(array.byteLength) >>> 0;
    if (!at) throw new Error("no memory");
    new array.constructor(m.memory.buffer, at, array.length).set(array);
    return at;
}
const floats = (at, n) => new Float32Array(m.memory.buffer, at, n).slice();
function must(code) {
    if (code !== 0) throw new Error(`code ${code}`);
}

const file = readFileSync(weights);
const at = put(Uint8Array.from(file));
must(m.bind(at, file.length));
const { input_ids, labels } = safetensors(input);
const want = safetensors(outputs);
const ids = put(input_ids);
const targets = put(labels);
const logits = put(new Float32Array(want.logits.length));
const loss = put(new Float32Array(1));
must(m.forward(ids, targets, input_ids.length, logits, loss));
same("logits", floats(logits, want.logits.length), want.logits);
same("loss", floats(loss, 1), want.loss);

const all = put(new Float32Array(m.gradients_bytes() / 4));
must(m.gradients(ids, targets, input_ids.length, 3n, all));
const right = safetensors(gradients);
let compared = 0;
for (let i = 0, name; (name = m.gradient_name(i)); i++) {
    const bytes = Buffer.from(m.memory.buffer);
    const text = bytes.toString("utf8", name, bytes.indexOf(0, name));
    compared += same(text, floats(all + 4 * m.gradient_offset(), m.gradient_elements()), right[text]);
    delete right[text];
}
delete right.loss;
if (compared === 0 || Object.keys(right).length) throw new Error(`not compared: ${Object.keys(right)}`);

const { loss: losses, grad_norm: norms } = JSON.parse(readFileSync(steps));
const report = put(new Float64Array(2));
for (let i = 0; i < losses.length; i++) {
    must(m.learn(at, ids, targets, input_ids.length, report));
    same(`step ${i}`, new Float64Array(m.memory.buffer, report, 2), [losses[i], norms[i]]);
}
console.log(`${want.logits.length} logits, ${compared} gradients, ${losses.length} steps`);
