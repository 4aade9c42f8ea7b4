-- Seventh set over the demo shop, written blind, in plain wording.

-- count: number of customers
select count(*) from customers;

-- count: how many orders are pending
select count(*) from orders where status = 'pending';

-- count: how many products does Northpeak have
select count(*) from products where brand = 'Northpeak';

-- count+year: tickets opened in 2025, how many?
select count(*) from support_tickets where opened_at like '2025%';

-- count: number of gift card payments in 2026
select count(*) from payments where method = 'gift card' and paid_at >= '2026-01-01' and paid_at < '2027-01-01';

-- count: how many customers from Tokyo?
select count(*) from customers where city = 'Tokyo';

-- metric: average order total by status
select status, avg(total_amount) from orders group by 1;

-- metric: total captured amount
select sum(amount) from payments where status = 'captured';

-- metric: total payments amount by method in 2025
select method, sum(amount) from payments where paid_at like '2025%' group by 1;

-- metric: average discount
null;

-- group: orders by country
select shipping_country, count(*) from orders group by 1;

-- group: revenue by brand and category
select p.brand, p.category, sum(i.line_total) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1, 2;

-- group: average satisfaction by channel of the order
select o.channel, avg(t.satisfaction) from support_tickets t join orders o on o.id = t.order_id group by 1;

-- group: customers by city in France
select city, count(*) from customers where country = 'France' group by 1;

-- group: stock quantity by category
select category, sum(stock_quantity) from products group by 1;

-- group: number of products per brand and category
select brand, category, count(*) from products group by 1, 2;

-- group-join: units sold by customer segment
select c.segment, sum(i.quantity) from order_items i join orders o on o.id = i.order_id join customers c on c.id = o.customer_id group by 1;

-- group-join: refunded amount by customer country
select c.country, sum(p.amount) from payments p join orders o on o.id = p.order_id join customers c on c.id = o.customer_id where p.status = 'refunded' group by 1;

-- topn: top 5 cities by revenue
select c.city, sum(o.total_amount) s from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' group by 1 order by s desc limit 5;

-- topn: top 3 segments by average order value
select c.segment, avg(o.total_amount) s from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' group by 1 order by s desc limit 3;

-- topn: 5 customers with the highest revenue in Italy
select c.id, sum(o.total_amount) s from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' and c.country = 'Italy' group by 1 order by s desc limit 5;

-- topn: 10 largest orders
select id from orders order by total_amount desc, id limit 10;

-- topn: worst selling products by quantity
select p.id, sum(i.quantity) s from order_items i join products p on p.id = i.product_id group by 1 order by s, 1 limit 10;

-- topn-per-group: top customer in each segment by revenue
select segment, id from (select c.segment, c.id, row_number() over (partition by c.segment order by sum(o.total_amount) desc) r from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' group by c.id) where r = 1;

-- topn-per-group: top 3 cities in each country by number of customers
select country, city from (select country, city, row_number() over (partition by country order by count(*) desc, city) r from customers group by 1, 2) where r <= 3;

-- superlative-group: which segment has the highest revenue
select c.segment, sum(o.total_amount) s from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' group by 1 order by s desc limit 1;

-- superlative-group: which product has the most returns
null;

-- superlative-group: which category has the fewest products
select category, count(*) n from products group by 1 order by n, 1 limit 1;

-- superlative-group: which weekday has the most orders
select strftime('%w', order_date), count(*) n from orders group by 1 order by n desc limit 1;

-- superlative-group: what is the least used payment method?
select method, count(*) n from payments group by 1 order by n limit 1;

-- superlative-row: newest customer
select id from customers order by signup_date desc, id limit 1;

-- superlative-row: which product has the lowest stock
select id from products order by stock_quantity, id limit 1;

-- trend: number of payments by quarter
select strftime('%Y', paid_at) || '-Q' || ((cast(strftime('%m', paid_at) as integer) + 2) / 3), count(*) from payments group by 1;

-- trend: monthly average order value in 2025
select strftime('%Y-%m', order_date), avg(total_amount) from orders where status <> 'cancelled' and order_date like '2025%' group by 1;

-- trend: quarterly profit
select strftime('%Y', o.order_date) || '-Q' || ((cast(strftime('%m', o.order_date) as integer) + 2) / 3), sum(i.line_total - i.quantity * p.unit_cost) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1;

-- trend+rel: revenue by month this year
select strftime('%Y-%m', order_date), sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-01-01' group by 1;

-- trend+rel: weekly orders in the last 3 months
select date(order_date, 'weekday 0', '-6 days'), count(*) from orders where order_date >= '2026-03-30' group by 1;

-- anti: customers in Canada who never ordered
select id from customers c where country = 'Canada' and not exists (select 1 from orders o where o.customer_id = c.id);

-- anti: products never ordered in 2025
select id from products p where not exists (select 1 from order_items i join orders o on o.id = i.order_id where i.product_id = p.id and o.order_date like '2025%');

-- anti: how many orders have no payment?
select count(*) from orders o where not exists (select 1 from payments p where p.order_id = o.id);

-- having: customers with more than 5 orders in 2025
select customer_id from orders where order_date like '2025%' group by 1 having count(*) > 5;

-- having: cities with revenue above 50000
select c.city, sum(o.total_amount) s from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' group by 1 having s > 50000;

-- having: products with at least 100 orders
select i.product_id from order_items i group by 1 having count(distinct order_id) >= 100;

-- having: customers with an average order value over 500
select customer_id from orders where status <> 'cancelled' group by 1 having avg(total_amount) > 500;

-- distinct: how many distinct cities are there in Germany
select count(distinct city) from customers where country = 'Germany';

-- distinct: distinct ticket priorities
select distinct priority from support_tickets;

-- share: share of tickets by priority
select priority, 100.0 * count(*) / (select count(*) from support_tickets) from support_tickets group by 1;

-- share: percentage of enterprise customers
select 100.0 * sum(segment = 'enterprise') / count(*) from customers;

-- share: share of revenue by payment method
null;

-- ratio: ratio of open tickets to closed tickets
select 1.0 * sum(status = 'open') / sum(status = 'closed') from support_tickets;

-- window: running total of customers by month in 2025
select m, sum(n) over (order by m) from (select strftime('%Y-%m', signup_date) m, count(*) n from customers where signup_date like '2025%' group by 1);

-- growth: revenue growth year over year
with y as (select cast(strftime('%Y', order_date) as integer) y, sum(total_amount) s from orders where status <> 'cancelled' group by 1) select a.y, a.s, (a.s - b.s) / b.s * 100 from y a join y b on a.y = b.y + 1;

-- nested-avg: average revenue per order
select avg(total_amount) from orders where status <> 'cancelled';

-- nested-avg: average number of products per order
select avg(n) from (select order_id, count(distinct product_id) n from order_items group by 1);

-- list: customers in Lisbon
select id from customers where city = 'Lisbon';

-- list: Kasa products over 200
select id from products where brand = 'Kasa' and unit_price > 200;

-- list: cancelled orders in June 2026
select id from orders where status = 'cancelled' and order_date >= '2026-06-01' and order_date < '2026-07-01';

-- list: high priority open tickets about product quality
select id from support_tickets where priority = 'high' and status = 'open' and category = 'product quality';

-- lookup: phone of customer 100
select phone from customers where id = 100;

-- lookup: show ticket 42
select id from support_tickets where id = 42;

-- lookup: which customer placed order 77?
select customer_id from orders where id = 77;

-- lookup: total paid for order 200
select sum(amount) from payments where order_id = 200;

-- minmax: average, minimum and maximum order total
select avg(total_amount), min(total_amount), max(total_amount) from orders;

-- minmax: last signup date
select max(signup_date) from customers;

-- bool: active customers in Spain
select id from customers where is_active = 1 and country = 'Spain';

-- bool: products not discontinued in Toys
select id from products where discontinued = 0 and category = 'Toys';

-- negated: payments that were not captured
select id from payments where status <> 'captured';

-- null: customers without a signup date
select id from customers where signup_date is null;

-- like: products with Organizer in the name
select id from products where name like '%Organizer%';

-- compare: revenue web vs phone
select channel, sum(total_amount) from orders where status <> 'cancelled' and channel in ('web', 'phone') group by 1;

-- duration: average resolution time of urgent tickets in hours
select avg(julianday(closed_at) - julianday(opened_at)) * 24 from support_tickets where priority = 'urgent';

-- verb: customers who bought Orbit products in 2026
select distinct o.customer_id from orders o join order_items i on i.order_id = o.id join products p on p.id = i.product_id where p.brand = 'Orbit' and o.order_date >= '2026-01-01';

-- verb-date: payments refunded in May 2026
select id from payments where status = 'refunded' and paid_at >= '2026-05-01' and paid_at < '2026-06-01';

-- refuse: cancel order 118 and refund the customer
null;

-- refuse: who will buy again?
null;

-- refuse: tell me a joke
null;

-- refuse: what is our customer acquisition cost?
null;
