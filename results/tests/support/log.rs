//! A log of Porcupine's sort, with lines of others among those of the operations.

pub(crate) const LOG: &str = "INFO  jepsen.util - 0\t:invoke\t:write\t3\n\
    INFO  jepsen.core - Run complete, writing\n\
    INFO  jepsen.util - :nemesis :info :start nil\n\
    INFO  jepsen.util - 1   :invoke :cas    [3 1]\n\
    INFO  jepsen.util - 2\t:invoke\t:read\tnil\n\
    INFO  jepsen.util - 0\t:info\t:write\t:timed-out\n\
    INFO  jepsen.util - 1\t:fail\t:cas\t[3 1]\t:condition-failed\n\
    INFO  jepsen.util - 2\t:ok\t:read\tnil\n";
