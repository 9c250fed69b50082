// A compiled Reformer in JavaScript: the module that build.sh links of writer.c, with its weights.
//
//     const model = await Reformer.load(moduleBytes, weightsBytes);
//     model.begin(model.encode("ROMEO:"), {tokens: 260, temperature: 0.7, seed: 7n});
//     for (let id; (id = model.next()) !== null;) …
//
// Everything runs on the thread that calls, so a page calls it from a worker (worker.js).

const BYTE = 2; // the model's text is bytes: id = byte + 2, below are special tokens

export class Reformer {
    // Both as ArrayBuffer or Uint8Array.
    static async load(moduleBytes, weightsBytes) {
        if (!WebAssembly.validate(moduleBytes))
            throw new Error("this browser does not take the module: it has no WebAssembly SIMD, " +
                            "or the file is damaged");
        const { instance } = await WebAssembly.instantiate(moduleBytes, {});
        return new Reformer(instance.exports, new Uint8Array(weightsBytes));
    }

    constructor(exports, weights) {
        this.exports = exports;
        if (weights.length !== exports.weights_bytes())
            throw new Error(`the weights are ${weights.length} bytes, ` +
                            `this module's are ${exports.weights_bytes()}`);
        const at = exports.weights();
        if (!at) throw new Error("no memory for the weights");
        new Uint8Array(exports.memory.buffer).set(weights, at >>> 0);
        this.check(exports.bind());
        this.vocab = exports.vocab();
        this.positions = exports.positions(); // prompt and text together
        this.left = 0;
    }

    check(code) {
        if (code === 0) return;
        const bytes = new Uint8Array(this.exports.memory.buffer);
        const from = this.exports.error_text(code) >>> 0;
        throw new Error(new TextDecoder().decode(bytes.slice(from, bytes.indexOf(0, from))));
    }

    encode(text) {
        return Array.from(new TextEncoder().encode(text), (byte) => byte + BYTE);
    }

    // Reads a prompt. Without sampling options the likeliest token is taken.
    begin(ids, { tokens, temperature = 0, topK = 0, topP = 0, repetitionPenalty = 0, seed = 0n } = {}) {
        if (typeof ids === "string" || !Array.from(ids).every(Number.isInteger))
            throw new TypeError("the prompt is token ids: model.encode(text)");
        if (!Number.isInteger(tokens) || tokens < 1)
            throw new RangeError(`tokens: ${tokens} is no number of tokens to write`);
        if (ids.length === 0) throw new Error("the prompt is empty");
        if (ids.length + tokens > this.positions)
            throw new Error(`${ids.length} + ${tokens} tokens: the model has ${this.positions} ` +
                            "positions");
        const at = this.exports.prompt(ids.length, tokens);
        if (!at) throw new Error("the prompt does not fit the model, or there is no memory for it");
        new Int32Array(this.exports.memory.buffer, at >>> 0, ids.length).set(ids);
        this.check(this.exports.begin(temperature, topK, topP, repetitionPenalty, BigInt(seed)));
        this.left = tokens;
    }

    // The next token; null: all are written.
    next() {
        if (this.left === 0) return null;
        const token = this.exports.next();
        if (token < 0) this.check(-token);
        this.left--;
        return token;
    }

    // Of the token that next() is about to choose: a copy.
    logits() {
        const at = this.exports.next_logits() >>> 0;
        return new Float32Array(this.exports.memory.buffer, at, this.vocab).slice();
    }
}

// Ids to text; characters of several bytes wait until they are whole.
export class Decoder {
    constructor() {
        this.utf8 = new TextDecoder();
    }

    decode(ids) {
        const bytes = ids.filter((id) => id >= BYTE).map((id) => id - BYTE);
        return this.utf8.decode(new Uint8Array(bytes), { stream: true });
    }

    end() {
        return this.utf8.decode();
    }
}
