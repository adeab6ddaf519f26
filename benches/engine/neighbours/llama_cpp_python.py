"""llama-cpp-python as the neighbour: reads one JSON object a line, answers one. Its own loop of `eval` and `sample`
is used, which is the least it can do for a token."""

import json
import sys
import time

import llama_cpp


def main():
    wish = json.loads(sys.argv[1])
    llm = llama_cpp.Llama(
        model_path=wish["model"],
        n_ctx=wish["context"],
        n_threads=wish["threads"],
        n_threads_batch=wish["threads"],
        n_batch=512,
        n_ubatch=512,
        flash_attn=wish["flash_attn"],
        verbose=False,
    )
    print(json.dumps({"version": llama_cpp.__version__}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(llm, json.loads(line))), flush=True)


def answer(llm, asked):
    llm.reset()
    begun = time.perf_counter()
    tokens = llm.tokenize(asked["text"].encode(), add_bos=True, special=False)
    llm.eval(tokens)
    token = llm.sample(temp=0.0)
    first = time.perf_counter()
    for _ in range(asked["max_tokens"] - 1):
        llm.eval([token])
        token = llm.sample(temp=0.0)
    last = time.perf_counter()
    return {"prompt_tokens": len(tokens), "first_s": first - begun, "rest_s": last - first}


main()
