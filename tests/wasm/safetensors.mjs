// Tensors of a safetensors file by name: Float32Array or Int32Array.
import { readFileSync } from "node:fs";

const KINDS = { F32: Float32Array, I32: Int32Array };

export function safetensors(path) {
    const file = readFileSync(path);
    const data = 8 + Number(file.readBigUInt64LE(0));
    const tensors = {};
    for (const [name, { dtype, data_offsets }] of Object.entries(JSON.parse(file.toString("utf8", 8, data)))) {
        if (name === "__metadata__") continue;
        const bytes = file.subarray(data + data_offsets[0], data + data_offsets[1]);
        tensors[name] = new KINDS[dtype](Uint8Array.from(bytes).buffer);
    }
    return tensors;
}

// Ends the program where bits differ; NaN are equal, whatever their bits.
export function same(what, got, want) {
    if (!want) throw new Error(`${what}: there is nothing to compare with`);
    if (got.length !== want.length) throw new Error(`${what}: ${got.length} numbers, not ${want.length}`);
    for (let i = 0; i < got.length; i++)
        if (!Object.is(got[i], want[i])) throw new Error(`${what}[${i}] is ${got[i]}, not ${want[i]}`);
    return got.length;
}
